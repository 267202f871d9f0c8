package driver_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestRegisterProcessor(t *testing.T) {
	nothing := func(driver.Item, bool, []byte) driver.Decision { return driver.Decision{} }
	driver.RegisterProcessor("driver_test.nothing", nothing)
	if driver.ProcessorNamed("driver_test.nothing") == nil {
		t.Error("a registered processor is not known")
	}
	if driver.ProcessorNamed("driver_test.other") != nil {
		t.Error("a processor is known that nobody registered")
	}
	for what, register := range map[string]func(){
		"a name twice":     func() { driver.RegisterProcessor("driver_test.nothing", nothing) },
		"without a name":   func() { driver.RegisterProcessor("", nothing) },
		"without function": func() { driver.RegisterProcessor("driver_test.nil", nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: there is no panic", what)
				}
			}()
			register()
		}()
	}
}
