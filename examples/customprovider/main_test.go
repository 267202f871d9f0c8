package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/command"
	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		Name:    "tiny",
		Connect: func(conformance.T) driver.Provider { return &provider{} },
		Lacks: []driver.Feature{
			driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureScan,
			driver.FeatureClear, driver.FeatureSize, driver.FeatureWatch, driver.FeatureLock, driver.FeatureLocality, driver.FeatureUnwrap,
		},
	})
}

// run calls the command and returns what it writes.
func run(t *testing.T, args ...string) (text string, status int) {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "output"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close() //nolint:errcheck // it is read back
	stdout, stderr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = file, file
	defer func() { os.Stdout, os.Stderr = stdout, stderr }()
	status = command.Main(append([]string{"customprovider"}, args...))
	output, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(output), status
}

// The commands know a provider from outside the tree as they know their own.
func TestCommandsKnowTheProvider(t *testing.T) {
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(wrong, []byte("cacheManager:\n  provider: tiny\n  properties: {maxEntrys: 5}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args   []string
		status int
		words  []string
	}{
		{[]string{"check", "tiny.yaml"}, 0, []string{"provider: tiny", "maxEntries: 1000000"}},
		{[]string{"check", wrong}, 1, []string{"wrong.yaml:3:16", "maxEntrys", "maxEntries"}},
		{[]string{"schema"}, 0, []string{`"tiny"`, "Bound on the number of entries of each cache"}},
		{[]string{"schema", "--format", "xsd"}, 0, []string{"tiny"}},
		{[]string{"conformance", "--config", "tiny.yaml"}, 0, []string{"not run: ", "\nconformance: ", " 0 failed"}},
		{[]string{"peer", "--config", "tiny.yaml"}, 1, []string{"tiny.yaml: the provider tiny keeps its records elsewhere"}},
		{[]string{"--help"}, 0, []string{"Usage: customprovider <command>"}},
	} {
		t.Run(strings.Join(test.args[:1], " "), func(t *testing.T) {
			text, status := run(t, test.args...)
			if status != test.status {
				t.Errorf("the exit status is %d, want %d:\n%s", status, test.status, text)
			}
			for _, word := range test.words {
				if !strings.Contains(text, word) {
					t.Errorf("it does not say %q:\n%s", word, text)
				}
			}
		})
	}
}
