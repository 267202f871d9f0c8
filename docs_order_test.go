package keepsake_test

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The reading orders of the faces name files that exist, each once.
func TestReadingOrdersOfTheFaces(t *testing.T) {
	data, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"jcache", "httpsession"} {
		row := regexp.MustCompile("(?m)^\\| `" + dir + "` \\| (`.*`) \\|$").FindStringSubmatch(string(data))
		if row == nil {
			t.Errorf("%s has no reading order", dir)
			continue
		}
		seen := make(map[string]bool)
		for _, file := range span.FindAllStringSubmatch(row[1], -1) {
			if _, err := os.Stat(path.Join(dir, file[1])); err != nil || seen[file[1]] {
				t.Errorf("the reading order of %s has %s, which is not there, or twice: %v", dir, file[1], err)
			}
			seen[file[1]] = true
		}
	}
}

// The reading orders in docs/architecture.md have every file of their packages once.
func TestReadingOrders(t *testing.T) {
	data, err := os.ReadFile("docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `(internal/[a-z]+)` \\| (.*) \\|$").FindAllStringSubmatch(string(data), -1)
	if len(rows) < 4 {
		t.Fatalf("%d reading orders were found", len(rows))
	}
	for _, row := range rows {
		dir := path.Join("providers/peer", row[1])
		var said, there []string
		for _, file := range span.FindAllStringSubmatch(row[2], -1) {
			said = append(said, file[1])
		}
		paths, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range paths {
			if name := filepath.Base(p); !strings.HasSuffix(name, "_test.go") {
				there = append(there, name)
			}
		}
		slices.Sort(said)
		slices.Sort(there)
		if !slices.Equal(said, there) {
			t.Errorf("the reading order of %s has\n%v\nand there are\n%v", dir, said, there)
		}
	}
}

// Every file and folder of the repository that the Makefile and the proof name exists.
func TestPathsOfTheMakefile(t *testing.T) {
	for _, name := range []string{"Makefile", ".ci/run"} {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		found := 0
		for _, p := range regexp.MustCompile(`(?:^|[\s'])((?:\./)?(?:bench|cmd|configfile|conformance|examples|internal|jcache|providers)/[\w./-]+)`).FindAllStringSubmatch(string(data), -1) {
			if strings.HasSuffix(p[1], "...") {
				continue
			}
			found++
			if _, err := os.Stat(p[1]); err != nil {
				t.Errorf("%s names %s: %v", name, p[1], err)
			}
		}
		if name == "Makefile" && found < 10 {
			t.Errorf("%d paths were found in %s", found, name)
		}
	}
}
