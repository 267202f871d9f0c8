package configfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
)

// No part of a file that is being written is applied: not at all while the writer goes on within
// the time that a file must stay still, and if it stops for longer, only what ends with a line of
// YAML, or what means the same as the whole.
func TestPrefixesAreNotApplied(t *testing.T) {
	for _, path := range examples(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text := string(read(t, path))
			name := filepath.Base(path)
			initial := "cacheManager: {provider: memory}\nhttpSession: {cookieName: FIRST}\n"
			if strings.HasSuffix(name, ".xml") {
				initial = "<keepsake><cacheManager provider='memory'/><httpSession cookieName='FIRST'/></keepsake>"
			}
			watching(t, name, initial, configfile.WatchOptions{}, func(w *watched) {
				copyBeside(t, filepath.Dir(path), filepath.Dir(w.file), name)
				w.write(text)
				w.rest()
				if said := w.said(); !strings.Contains(said, "is applied") {
					t.Fatalf("the whole file: %s", said)
				}
				w.write("")
				w.rest()
				w.said()
				w.write(text)
				w.rest()
				again := w.said() // after what was refused
				applied := 0
				for n := range len(text) {
					if n%10 == 0 {
						w.write(text[:n])
						time.Sleep(still - time.Second)
						w.write(text)
						w.rest()
						if said := w.said(); said != "" && said != again {
							t.Fatalf("a writer who stops after %d bytes: %s", n, said)
						}
					}
					w.write(text[:n])
					w.rest()
					switch said := w.said(); {
					case strings.Contains(said, "what is running stays"), said == "", said == again: // it means the same
					case strings.HasSuffix(name, ".yaml") && strings.HasSuffix(text[:n], "\n"):
						applied++
						w.write(text)
						w.rest()
						w.said()
					default:
						t.Fatalf("the first %d bytes are applied: %s", n, said)
					}
				}
				t.Logf("of %d prefixes that stay as they are, %d are taken for the whole", len(text), applied)
			})
		})
	}
}

// examples returns the files of the examples that can be watched.
func examples(t *testing.T) (paths []string) {
	t.Helper()
	for _, pattern := range []string{"*.yaml", "*.xml"} {
		found, err := filepath.Glob("../examples/*/" + pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range found {
			if filepath.Base(path) != "tiny.yaml" { // its provider is not linked in here
				paths = append(paths, path)
			}
		}
	}
	return paths
}

// copyBeside copies the files that stand beside an example's, since it may name them.
func copyBeside(t *testing.T, from, to, but string) {
	t.Helper()
	entries, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); e.Name() != but && (ext == ".xml" || ext == ".yaml") {
			if err := os.WriteFile(filepath.Join(to, e.Name()), read(t, filepath.Join(from, e.Name())), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}
