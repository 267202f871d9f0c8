package keepsake_test

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// writes are the methods of package driver that change records.
var writes = map[string]bool{
	"Put": true, "Delete": true, "Swap": true, "Exchange": true, "PutBatch": true, "Touch": true, "Invoke": true, "Clear": true,
}

// An operation of a cache that called a driver by itself could forget a step: settling,
// telling, or whatever else every write needs. So package jcache has one file that does.
func TestOneFileWritesToDrivers(t *testing.T) {
	const only = "jcache/internal/engine/write.go"
	used := make(map[string]bool)
	for _, pkg := range []string{"jcache", "jcache/internal/engine"} {
		for _, call := range driverWrites(t, pkg) {
			file, method, _ := strings.Cut(call, " ")
			if used[method] = true; file != only {
				t.Errorf("%s calls %s of a driver, which only %s may", file, method, only)
			}
		}
	}
	for method := range writes {
		if !used[method] {
			t.Errorf("nobody calls %s of a driver: the test does not see what it should", method)
		}
	}
}

// driverWrites returns "file method" for each use of a driver's method that writes.
func driverWrites(t *testing.T, pkg string) (calls []string) {
	t.Helper()
	exports := make(map[string]string)
	out, err := exec.Command("go", "list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}", "./"+pkg).Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		path, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		exports[path] = file
	}
	fset := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(pkg, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(fset, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	config := types.Config{Importer: importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })}
	info := types.Info{Uses: make(map[*ast.Ident]types.Object)}
	if _, err := config.Check(module+pkg, fset, files, &info); err != nil {
		t.Fatal(err)
	}
	for ident, object := range info.Uses {
		f, ok := object.(*types.Func)
		if !ok || !writes[f.Name()] || f.Pkg() == nil || f.Pkg().Path() != module+"jcache/driver" || f.Signature().Recv() == nil {
			continue
		}
		calls = append(calls, filepath.ToSlash(fset.Position(ident.Pos()).Filename)+" "+f.Name())
	}
	return calls
}
