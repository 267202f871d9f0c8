package clientfile

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzParse reads single files; what they import is not looked for.
func FuzzParse(f *testing.F) {
	for _, dir := range []string{"ok", "bad"} {
		paths, err := filepath.Glob(filepath.Join("testdata", dir, "*.*ml"))
		if err != nil || len(paths) == 0 {
			f.Fatal("no seeds", err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(filepath.Ext(path) == ".xml", data)
		}
	}
	f.Fuzz(func(t *testing.T, isXML bool, data []byte) {
		name := "fuzz.yaml"
		if isXML {
			name = "fuzz.xml"
		}
		r := newReader(name, Overrides{})
		if root := r.parse(name, data); root != nil && root.Name == memberRoot {
			r.member(root)
		} else if root != nil {
			r.client(root)
		}
		got, err := r.result()
		if (got == nil) == (err == nil) {
			t.Fatalf("a file or an error: %v, %v", got, err)
		}
		if err == nil {
			return
		}
		for line := range strings.SplitSeq(err.Error(), "\n") {
			if !strings.HasPrefix(line, name+":") {
				t.Fatalf("a problem without a position: %q", line)
			}
		}
	})
}
