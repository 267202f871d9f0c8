package redis

import (
	"errors"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Nothing was done in every case but one, in which what was done cannot be told.
func TestEveryAnswerHasAMeaning(t *testing.T) {
	conditions := []error{driver.ErrUnavailable, driver.ErrMisconfigured, driver.ErrFull, driver.ErrIndeterminate, jcache.ErrUndecodable, errNoScript}
	for _, a := range answers {
		matches := 0
		for _, c := range conditions {
			if errors.Is(a.err(), c) {
				matches++
			}
		}
		if matches != 1 || errors.Is(a.err(), driver.ErrIndeterminate) != (a.code == "UNTOLD") {
			t.Errorf("%s means %v", a.code, a.err())
		}
		if a.passes && !errors.Is(a.err(), driver.ErrUnavailable) {
			t.Errorf("%s passes, and means %v", a.code, a.err())
		}
	}
}
