package keepsake_test

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// docs/jsr107.md is made of docs/jsr107.tsv: class, method and behaviour, in our words, of each test of
// the TCK of JSR-107; held, no meaning or not yet; and the tests that hold it, which exist, or the reason.
// A test is directory.Name, or the name of a case of the conformance suite; one of the matrix is without
// its state.
func TestJSR107(t *testing.T) {
	data, err := os.ReadFile("docs/jsr107.tsv")
	if err != nil {
		t.Fatal(err)
	}
	cases := suiteNames(t)
	var table strings.Builder
	counts, seen, last := make(map[string]int), make(map[string]bool), ""
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSuffix(line, "\n"), "\t")
		if len(f) != 5 || f[4] == "" || !slices.Contains([]string{"held", "no meaning", "not yet"}, f[3]) {
			t.Fatalf("a line has the wrong fields: %q", line)
		}
		class, method, behaviour, verdict, says := f[0], f[1], f[2], f[3], f[4]
		if seen[class+"."+method] {
			t.Errorf("%s.%s is there twice", class, method)
		}
		seen[class+"."+method] = true
		counts[verdict]++
		text := verdict + ": " + says
		if verdict == "held" {
			names := strings.Split(says, "; ")
			for _, name := range names {
				dir, test, isTest := strings.Cut(name, ".Test")
				if isTest && !slices.Contains(testNames(t, dir, false), "Test"+test) || !isTest && !cases[name] {
					t.Errorf("%s.%s: there is no test %s", class, method, name)
				}
			}
			text = "`" + strings.Join(names, "` `") + "`"
		}
		if class != last {
			fmt.Fprintf(&table, "\n## %s\n\n| test | behaviour | here |\n|---|---|---|\n", class)
			last = class
		}
		fmt.Fprintf(&table, "| %s | %s | %s |\n", method, strings.ReplaceAll(behaviour, "|", `\|`), text)
	}
	if len(seen) != 478 {
		t.Errorf("the TCK has 478 tests, and %d are told of", len(seen))
	}
	text := fmt.Sprintf(`# JSR-107

The behaviours that the TCK of JSR-107 (1.1.1) asks for, by the names of its tests, and what holds them here: %d of %d.
%d have no meaning in Go, or none here, and %d are not yet there. A name with a slash is a case of the conformance suite, which
every provider runs; the others are tests of a package. This page is made of jsr107.tsv by a test.
`, counts["held"], len(seen), counts["no meaning"], counts["not yet"]) + table.String()
	const page = "docs/jsr107.md"
	if *update {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if have, err := os.ReadFile(page); err != nil || string(have) != text {
		t.Errorf("%s is not what docs/jsr107.tsv says (%v): go test -run TestJSR107 . -update", page, err)
	}
}

// suiteNames returns the names of the suite's cases, as the source has them.
func suiteNames(t *testing.T) map[string]bool {
	t.Helper()
	names := make(map[string]bool)
	invokes := make(map[string]bool) // of invokeRows
	var nets []string
	err := filepath.WalkDir("conformance", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		function := ""
		ast.Inspect(file, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.FuncDecl:
				function = n.Name.Name
			case *ast.GenDecl:
				if n.Tok == token.VAR {
					function = ""
				}
			case *ast.CallExpr:
				if f, ok := n.Fun.(*ast.Ident); ok && f.Name == "invokeRows" {
					invokes[literal(n.Args[0])] = true
				}
			case *ast.KeyValueExpr:
				k, ok := n.Key.(*ast.Ident)
				switch value := literal(n.Value); {
				case !ok || value == "":
				case k.Name == "name":
					names[value] = true
				case k.Name == "operation" && function == "invokeRows":
					nets = append(nets, value)
				case k.Name == "operation":
					names["matrix/"+value] = true
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for how := range invokes {
		for _, net := range nets {
			names["matrix/"+how+" "+net] = true
		}
	}
	return names
}

func literal(e ast.Expr) string {
	if l, ok := e.(*ast.BasicLit); ok && l.Kind == token.STRING {
		s, _ := strconv.Unquote(l.Value)
		return s
	}
	return ""
}
