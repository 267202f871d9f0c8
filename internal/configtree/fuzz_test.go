package configtree_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/internal/configtree"
)

// Any document is a tree with places, or has problems with places; it never does harm.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"", "<a/>", `<a b="c"><d>e</d></a>`, "a: {b: [c, d]}\n", "a: &x 1\nb: *x\n", "\ta: 1", "<a", "<!DOCTYPE a><a/>", "\xff", "<a:b xmlns:a='u'/>"} {
		f.Add(true, []byte(text))
		f.Add(false, []byte(text))
	}
	f.Fuzz(func(t *testing.T, xml bool, data []byte) {
		name := "a.yaml"
		if xml {
			name = "a.xml"
		}
		var r configtree.Report
		root := r.Parse(name, data)
		for _, p := range r.Problems(name) {
			if p.File != name || p.Line < 0 || p.Reason == "" {
				t.Errorf("a problem without a place: %+v", p)
			}
		}
		if root != nil {
			visit(t, root, 0)
		}
	})
}

func visit(t *testing.T, n *configtree.Node, depth int) {
	if n.Line < 1 || n.Column < 1 || depth > configtree.MaxDepth+1 {
		t.Errorf("%s is at %s, %d deep", n.Path(), n.At(), depth)
	}
	for _, c := range n.Inner {
		if c.Parent != n {
			t.Errorf("%s has another parent", c.Path())
		}
		visit(t, c, depth+1)
	}
}
