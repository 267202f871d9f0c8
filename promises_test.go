package keepsake_test

import (
	"bufio"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write docs/promises.md anew; read the difference before you keep it")

// docs/promises.md is made of promises, of what make faults has printed, and of the tests that
// promises_table_test.go names, all of which exist.
func TestPromises(t *testing.T) {
	measured := measurements(t)
	var b strings.Builder
	b.WriteString(preface)
	for _, f := range faults {
		fmt.Fprintf(&b, "\n## %s\n\n%s\n\n| promise |", f.title, f.what)
		for _, p := range storeNames {
			fmt.Fprintf(&b, " %s |", p)
		}
		b.WriteString("\n|---" + strings.Repeat("|---", len(storeNames)) + "|\n")
		for _, promise := range promises {
			fmt.Fprintf(&b, "| %s |", promise)
			for _, p := range storeNames {
				fmt.Fprintf(&b, " %s |", cellOf(t, p, f.name, promise, measured))
			}
			b.WriteString("\n")
		}
	}
	const page = "docs/promises.md"
	if *update {
		if err := os.WriteFile(page, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(page); err != nil || string(have) != b.String() {
		t.Errorf("%s is not what the tests say (%v): go test -run TestPromises . -update", page, err)
	}
}

// cellOf says what becomes of a promise: what was measured, and which tests hold it.
func cellOf(t *testing.T, store, fault, promise string, measured map[string]string) string {
	t.Helper()
	var parts []string
	if m, ok := measured[strings.Join([]string{store, fault, promise}, " | ")]; ok {
		switch {
		case m == "0 of 0":
			parts = append(parts, "none was acknowledged, since "+whyNone(t, store, fault, promise))
		case strings.HasPrefix(m, "0 "):
			parts = append(parts, "holds, "+m+" lost")
		default:
			parts = append(parts, "**"+m+" lost**")
		}
		parts[0] += " " + measuredBy(t, store, fault)
	}
	for _, e := range evidence {
		if e.store != store || !slices.Contains(e.faults, fault) || !slices.Contains(e.promises, promise) {
			continue
		}
		text := e.says
		for _, name := range e.tests {
			dir, test, _ := strings.Cut(name, ".")
			if !slices.Contains(testNames(t, dir, false), test) {
				t.Errorf("there is no test %s in %s", test, dir)
			}
			text += " `" + test + "`"
		}
		parts = append(parts, strings.TrimSpace(text))
	}
	if parts == nil {
		t.Errorf("nobody says what becomes of this: %s, %s: %s", store, fault, promise)
	}
	return strings.Join(parts, "; ")
}

// whyNone says why nothing was acknowledged that could have been lost.
func whyNone(t *testing.T, store, fault, promise string) string {
	for _, n := range none {
		if n.store == store && n.fault == fault && slices.Contains(n.promises, promise) {
			return n.since
		}
	}
	t.Errorf("nobody says why none was acknowledged: %s, %s: %s", store, fault, promise)
	return ""
}

// measuredBy returns the test that has counted what is lost.
func measuredBy(t *testing.T, store, fault string) string {
	const dir = "conformance/faults"
	test := map[string]string{"memory": "TestFaultsOfMemory", "peer": "TestFaultsOfPeer", "memcached": "TestFaultsOfMemcached",
		"redis": "TestFaultsOfRedis", "sql": "TestFaultsOfSQL", "hazelcast": "TestFaultsOfHazelcast"}[store]
	if fault == "skewed clocks" {
		test = "TestFaultsOfClocks"
	}
	if !slices.Contains(testNames(t, dir, false), test) {
		t.Errorf("there is no test %s in %s", test, dir)
	}
	return "`" + test + "`"
}

// measurements reads what was printed: store | fault | promise | so many of so many.
func measurements(t *testing.T) map[string]string {
	t.Helper()
	files, err := filepath.Glob("docs/faults/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("docs/faults has no output of make faults")
	}
	measured := make(map[string]string)
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		for lines := bufio.NewScanner(f); lines.Scan(); {
			if at := strings.LastIndex(lines.Text(), " | "); at > 0 && lines.Text()[0] != '#' {
				measured[lines.Text()[:at]] = lines.Text()[at+3:]
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for key := range measured {
		if part := strings.Split(key, " | "); len(part) != 3 || !slices.Contains(storeNames, part[0]) || !slices.Contains(promises, part[2]) {
			t.Errorf("nobody promises what was measured: %s", key)
		}
	}
	return measured
}
