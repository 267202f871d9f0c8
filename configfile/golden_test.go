package configfile_test

import (
	"bytes"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var update = flag.Bool("update", false, "write want.txt anew; read the difference before you keep it")

// getenv is the environment of the documents under testdata.
func getenv(name string) (string, bool) {
	value, ok := map[string]string{
		"PROVIDER": "memcached", "HOST": "10.1.0.5", "MINUTES": "45", "EMPTY": "", "SECRET": "opensesame", "WORD": "hush",
	}[name]
	return value, ok
}

// cases returns the directories below testdata/kind.
func cases(t testing.TB, kind string) []string {
	dirs, err := filepath.Glob("testdata/" + kind + "/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	return dirs
}

func read(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// golden compares a text with want.txt.
func golden(t *testing.T, dir, got string) {
	t.Helper()
	path := filepath.Join(dir, "want.txt")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(string(read(t, path)), got); diff != "" {
		t.Errorf("want.txt (-want +got):\n%s", diff)
	}
}

var sameConfig = cmp.Options{
	cmpopts.IgnoreUnexported(configfile.Config{}, configfile.CacheManagerConfig{}, configfile.SessionConfig{}),
	cmp.Comparer(func(a, b driver.Values) bool {
		return cmp.Equal(a, b, cmp.AllowUnexported(driver.Values{}))
	}),
}

func describe(t testing.TB, cfg *configfile.Config) string {
	t.Helper()
	var b bytes.Buffer
	if err := cfg.Describe(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The two documents of a case mean the same, and their description means the same again.
func TestValidDocuments(t *testing.T) {
	for _, dir := range cases(t, "ok") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var configs []*configfile.Config
			for _, name := range []string{"in.xml", "in.yaml"} {
				path := filepath.Join(dir, name)
				cfg, err := configfile.Parse(path, read(t, path), getenv)
				if err != nil {
					t.Fatal(err)
				}
				configs = append(configs, cfg)
			}
			if diff := cmp.Diff(configs[0], configs[1], sameConfig); diff != "" {
				t.Errorf("in.xml and in.yaml differ (-xml +yaml):\n%s", diff)
			}
			text := describe(t, configs[0])
			golden(t, dir, text)
			again, err := configfile.Parse("description.yaml", []byte(text), getenv)
			if err != nil {
				t.Fatalf("the description cannot be read: %v", err)
			}
			if diff := cmp.Diff(withoutSecrets(configs[0]), again, sameConfig); diff != "" {
				t.Errorf("the description means something else (-file +description):\n%s", diff)
			}
		})
	}
}

// withoutSecrets puts in place what Describe does.
func withoutSecrets(cfg *configfile.Config) *configfile.Config {
	for _, m := range cfg.CacheManagers {
		for _, name := range []string{"password", "secret", "url"} {
			if _, ok := m.Config.Settings[name]; ok {
				m.Config.Settings[name] = "***"
			}
		}
	}
	return cfg
}

// Every problem of a document is reported, at its place.
func TestInvalidDocuments(t *testing.T) {
	for _, dir := range cases(t, "bad") {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			var got strings.Builder
			for _, name := range []string{"in.xml", "in.yaml"} {
				data, err := os.ReadFile(filepath.Join(dir, name))
				if err != nil {
					continue
				}
				cfg, err := configfile.Parse(name, data, getenv)
				if err == nil {
					_, err = cfg.Check()
				}
				if err == nil {
					t.Fatalf("%s is accepted", name)
				}
				got.WriteString(err.Error() + "\n")
			}
			for _, secret := range []string{"sesame", "hush"} {
				if strings.Contains(got.String(), secret) {
					t.Errorf("a message shows a secret")
				}
			}
			golden(t, dir, got.String())
		})
	}
}
