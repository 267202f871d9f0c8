package configfile_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
)

// No part of a file that is being written in its place is applied, whether the writer goes on within the time
// that a file must stay still or stops for good, unless it means the same as what runs.
func TestPrefixesAreNotApplied(t *testing.T) {
	for _, path := range examples(t) {
		t.Run(filepath.Base(path), func(t *testing.T) {
			text, name := string(read(t, path)), filepath.Base(path)
			initial := "cacheManager: {provider: memory}\nhttpSession: {cookieName: FIRST}\n"
			if strings.HasSuffix(name, ".xml") {
				initial = "<keepsake><cacheManager provider='memory'/><httpSession cookieName='FIRST'/></keepsake>"
			} else {
				text += "...\n"
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
					if said := w.said(); said != "" && said != again && !strings.Contains(said, "what is running stays") {
						t.Fatalf("the first %d bytes are applied: %s", n, said)
					}
				}
			})
		})
	}
}

// A YAML file is applied when it has its end marker, or is another file than before.
func TestWholeYAML(t *testing.T) {
	for name, c := range map[string]struct {
		applied bool
		put     func(w *watched, text string)
	}{
		"in its place":                {false, (*watched).write},
		"in its place, marked":        {true, func(w *watched, text string) { w.write(text + "...\n") }},
		"in its place, Windows":       {true, func(w *watched, text string) { w.write(strings.ReplaceAll(text+"...\n", "\n", "\r\n")) }},
		"in its place, half a marker": {false, func(w *watched, text string) { w.write(text + "...") }},
		"renamed":                     {true, (*watched).replace},
		"renamed, then in its place":  {false, func(w *watched, text string) { w.replace(shopYAML); w.rest(); w.write(text) }},
	} {
		t.Run(name, func(t *testing.T) {
			watching(t, "a.yaml", shopYAML, configfile.WatchOptions{}, func(w *watched) {
				c.put(w, strings.Replace(shopYAML, "SHOP", "CART", 1))
				w.rest()
				if said := w.said(); (w.cookie() == "CART") != c.applied || c.applied == strings.Contains(said, "may not be written to its end") {
					t.Errorf("the cookie is %s; it says %s", w.cookie(), said)
				}
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
