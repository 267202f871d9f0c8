package keepsake_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// Everything that a program can name has a comment that says what it is: packages, types and their
// methods, functions, fields, and groups of constants and variables.
func TestPublicNamesAreDocumented(t *testing.T) {
	found := 0
	err := filepath.WalkDir(".", func(dir string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		if name := d.Name(); name != "." && strings.HasPrefix(name, ".") || slices.Contains([]string{"internal", "testdata", "bin", "bench", "examples"}, name) {
			return filepath.SkipDir
		}
		found += checkDocumented(t, dir)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found < 500 {
		t.Errorf("there are %d public names, which are not all", found)
	}
}

// checkDocumented reports what is public and not documented in a directory, and returns how much is public.
func checkDocumented(t *testing.T, dir string) int {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	w := docWalk{t: t, files: token.NewFileSet()}
	sources, about := 0, false
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		f, err := parser.ParseFile(w.files, name, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		sources++
		about = about || f.Doc != nil
		if f.Name.Name != "main" {
			w.walk(f)
		}
	}
	if sources > 0 && !about {
		t.Errorf("%s: the package has no comment", dir)
	}
	return w.found
}

// A docWalk looks at declarations.
type docWalk struct {
	t     *testing.T
	files *token.FileSet
	found int
}

func (w *docWalk) walk(f *ast.File) {
	for _, d := range f.Decls {
		switch d := d.(type) {
		case *ast.FuncDecl:
			if d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type)) {
				w.need(d.Name, d.Doc)
			}
		case *ast.GenDecl:
			for _, s := range d.Specs {
				w.spec(s, d)
			}
		}
	}
}

func (w *docWalk) spec(s ast.Spec, within *ast.GenDecl) {
	switch s := s.(type) {
	case *ast.TypeSpec:
		w.need(s.Name, s.Doc, within.Doc)
		if s.Name.IsExported() {
			w.members(s.Type)
		}
	case *ast.ValueSpec:
		for _, name := range s.Names {
			w.need(name, s.Doc, s.Comment, within.Doc)
		}
	}
}

// members looks at the fields of a struct, of which neighbours may share a comment, and at the methods
// of an interface.
func (w *docWalk) members(e ast.Expr) {
	var list *ast.FieldList
	switch e := e.(type) {
	case *ast.StructType:
		list = e.Fields
	case *ast.InterfaceType:
		list = e.Methods
	default:
		return
	}
	var doc *ast.CommentGroup
	last := 0
	for _, field := range list.List {
		if line := w.files.Position(field.Pos()).Line; field.Doc != nil || line > last+1 {
			doc = field.Doc
		}
		last = w.files.Position(field.End()).Line
		for _, name := range field.Names {
			w.need(name, doc, field.Comment)
		}
	}
}

// need reports a public name without any of the comments.
func (w *docWalk) need(name *ast.Ident, comments ...*ast.CommentGroup) {
	if !name.IsExported() {
		return
	}
	w.found++
	if !slices.ContainsFunc(comments, func(c *ast.CommentGroup) bool { return c != nil }) {
		w.t.Errorf("%s: %s has no comment", w.files.Position(name.Pos()), name.Name)
	}
}

// receiver is the name of a method's type.
func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.IndexListExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}
