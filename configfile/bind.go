package configfile

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A binder turns the tree into values, by the definitions of the elements.
type binder struct {
	*report
	getenv func(string) (string, bool)
}

// A bound element is what the document says in one place.
type bound struct {
	*configtree.Node
	given  map[string]any
	values driver.Values // given, and the defaults
	inner  map[string][]*bound
}

// id is what other elements call this one, or nothing.
func (b *bound) id() string { return b.values.String("id") }

// bind reads an element.
func (b *binder) bind(n *configtree.Node, e *element) *bound {
	result := &bound{Node: n, given: make(map[string]any), inner: make(map[string][]*bound)}
	first := make(map[string]*configtree.Node)
	if n.Kind == configtree.Scalar {
		b.at(n, "takes settings, not a text")
		n.Kind = configtree.Broken
	}
	for _, c := range n.Inner {
		earlier := first[c.Name]
		if earlier == nil {
			first[c.Name] = c
		}
		if w, ok := e.word(c.Name); ok {
			b.bindWord(c, w, result.given, earlier)
		} else if f, ok := e.fixedWord(c.Name); ok {
			b.bindFixed(c, f, earlier)
		} else if in := e.element(c.Name); in != nil {
			b.bindInner(c, in, result, earlier)
		} else if why := e.refused[c.Name]; why != "" {
			b.at(c, "is refused: %s", why)
		} else {
			b.unknown(c, e)
		}
	}
	for _, w := range e.words {
		if w.Required && first[w.Name] == nil && n.Kind != configtree.Broken {
			b.at(n, "%s is required", w.Name)
		}
	}
	result.values, _ = driver.NewValues(e.settings(), result.given) // given has what settings declares
	return result
}

func (b *binder) bindInner(c *configtree.Node, in *element, outer *bound, earlier *configtree.Node) {
	if !in.repeated && !b.alone(c, earlier) {
		return
	}
	one := &bound{Node: c}
	if !in.byProvider {
		one = b.bind(c, in)
	}
	outer.inner[in.name] = append(outer.inner[in.name], one)
	if !in.repeated && !in.byProvider {
		outer.given[in.name] = one.values
	}
}

// bindWord puts the value of a scalar into given.
func (b *binder) bindWord(c *configtree.Node, w word, given map[string]any, earlier *configtree.Node) {
	if w.Kind == driver.KindList && c.Listed && (earlier == nil || earlier.Listed) {
		v, ok := b.value(c, w)
		if list, read := given[w.Name].([]string); ok && (read || given[w.Name] == nil) {
			given[w.Name] = append(list, v.([]string)...)
		} else {
			given[w.Name] = setting.Unread{}
		}
		return
	}
	if !b.alone(c, earlier) {
		if earlier == nil {
			given[w.Name] = setting.Unread{}
		}
		return
	}
	if v, ok := b.value(c, w); ok {
		given[w.Name] = v
	} else {
		given[w.Name] = setting.Unread{}
	}
}

func (b *binder) bindFixed(c *configtree.Node, f fixed, earlier *configtree.Node) {
	if !b.alone(c, earlier) {
		return
	}
	v, ok := b.value(c, word{Setting: f.Setting})
	if !ok {
		return
	}
	if only, err := f.Parse(f.only); err == nil && v != only {
		b.at(c, "must be %s: %s", f.only, f.why)
	}
}

// alone reports whether c is the only one of its name.
func (b *binder) alone(c, earlier *configtree.Node) bool {
	switch {
	case earlier != nil:
		b.at(c, "is given twice; first in line %d", earlier.Line)
	case c.Listed:
		b.at(c, "takes one value, not a list")
	default:
		return true
	}
	return false
}

// value reads a scalar.
func (b *binder) value(c *configtree.Node, w word) (any, bool) {
	switch c.Kind {
	case configtree.Broken:
		return nil, false
	case configtree.Empty:
		b.at(c, `has no value; an empty text is written ""`)
		return nil, false
	case configtree.Group:
		b.at(c, "takes one value, not settings of its own")
		return nil, false
	}
	text, foreign, err := expand(c.Text, b.getenv)
	if err != nil {
		b.at(c, "%v", err)
		return nil, false
	}
	s := w.Setting
	s.Secret = s.Secret || foreign
	value, err := s.Parse(text)
	if err == nil && w.valid != nil {
		err = w.valid(value)
	}
	if err != nil {
		b.at(c, "%v", err)
		return nil, false
	}
	if path, ok := value.(string); ok && w.Kind == driver.KindFile {
		value = b.resolve(path)
	}
	return value, true
}

// resolve makes a file name relative to the document's directory, unless it is absolute.
func (b *binder) resolve(path string) string {
	if path == "" || filepath.IsAbs(path) {
		return path
	}
	return filepath.Join(filepath.Dir(b.file), path)
}

// unknown reports a name that may not stand where it does.
func (b *binder) unknown(c *configtree.Node, e *element) {
	if b.Full() {
		return // looking for a better name takes a while
	}
	names := e.names()
	known := slices.Clone(names)
	for name := range e.refused {
		known = append(known, name)
	}
	slices.Sort(known) // the order of a map must not choose
	name := configtree.ShortName(c.Name)
	near := configtree.Nearest(c.Name, known)
	home := documentElement.home(c.Name)
	switch {
	case near != "":
		b.AddAt(c.Place, c.Parent, "unknown name %q; did you mean %s?", name, near)
	case home != "" && home != e.name:
		b.AddAt(c.Place, c.Parent, "%q does not belong here but in %s", name, home)
	case len(names) <= 12:
		b.AddAt(c.Place, c.Parent, "unknown name %q; there are %s", name, strings.Join(names, ", "))
	default:
		b.AddAt(c.Place, c.Parent, "unknown name %q", name)
	}
}
