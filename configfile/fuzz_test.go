package configfile_test

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keepsake-cache/keepsake/configfile"
)

func FuzzXML(f *testing.F) { fuzz(f, "in.xml") }

func FuzzYAML(f *testing.F) { fuzz(f, "in.yaml") }

// Whatever is read does not panic; problems are bounded and have a place in the document;
// and what is accepted has a description that means the same.
func fuzz(f *testing.F, name string) {
	for _, kind := range []string{"ok", "bad"} {
		for _, dir := range cases(f, kind) {
			if matches, err := filepath.Glob(filepath.Join(dir, name)); err == nil && len(matches) == 1 {
				f.Add(read(f, matches[0]))
			}
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		cfg, err := configfile.Parse(name, data, getenv)
		if err != nil {
			var problems configfile.Errors
			if !errors.As(err, &problems) || len(problems) == 0 || len(problems) > 101 {
				t.Fatalf("%d problems: %T", len(problems), err)
			}
			lines := strings.Count(string(data), "\n") + strings.Count(string(data), "\r") + strings.Count(string(data), "\u0085") +
				strings.Count(string(data), "\u2028") + strings.Count(string(data), "\u2029") + 2
			for _, p := range problems {
				if p.Reason == "" || p.Line > lines || strings.Contains(p.Reason, "\n") {
					t.Errorf("%d lines: %v", lines, p)
				}
			}
			return
		}
		for _, m := range cfg.CacheManagers {
			if m.Config.Provider != "memory" && m.Config.Provider != "odd" {
				return // it would read files of any name
			}
		}
		var text strings.Builder
		if err := cfg.Describe(&text); err != nil {
			return // a provider refuses what only it can judge
		}
		again, err := configfile.Parse("description.yaml", []byte(text.String()), getenv)
		if err != nil {
			t.Fatalf("the description cannot be read: %v\n%s", err, text.String())
		}
		if diff := cmp.Diff(withoutSecrets(cfg), again, sameConfig); diff != "" {
			t.Errorf("the description means something else (-file +description):\n%s\n%s", diff, text.String())
		}
	})
}
