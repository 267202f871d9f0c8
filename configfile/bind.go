package configfile

import (
	"path/filepath"
	"slices"
	"strings"

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
	*node
	given  map[string]any
	values driver.Values // given, and the defaults
	inner  map[string][]*bound
}

// id is what other elements call this one, or nothing.
func (b *bound) id() string { return b.values.String("id") }

// bind reads an element.
func (b *binder) bind(n *node, e *element) *bound {
	result := &bound{node: n, given: make(map[string]any), inner: make(map[string][]*bound)}
	first := make(map[string]*node)
	if n.kind == scalar {
		b.at(n, "takes settings, not a text")
		n.kind = broken
	}
	for _, c := range n.inner {
		earlier := first[c.name]
		if earlier == nil {
			first[c.name] = c
		}
		if w, ok := e.word(c.name); ok {
			b.bindWord(c, w, result.given, earlier)
		} else if f, ok := e.fixedWord(c.name); ok {
			b.bindFixed(c, f, earlier)
		} else if in := e.element(c.name); in != nil {
			b.bindInner(c, in, result, earlier)
		} else if why := e.refused[c.name]; why != "" {
			b.at(c, "is refused: %s", why)
		} else {
			b.unknown(c, e)
		}
	}
	for _, w := range e.words {
		if w.Required && first[w.Name] == nil && n.kind != broken {
			b.at(n, "%s is required", w.Name)
		}
	}
	result.values, _ = driver.NewValues(e.settings(), result.given) // given has what settings declares
	return result
}

func (b *binder) bindInner(c *node, in *element, outer *bound, earlier *node) {
	if !in.repeated && !b.alone(c, earlier) {
		return
	}
	one := &bound{node: c}
	if !in.byProvider {
		one = b.bind(c, in)
	}
	outer.inner[in.name] = append(outer.inner[in.name], one)
	if !in.repeated && !in.byProvider {
		outer.given[in.name] = one.values
	}
}

// bindWord puts the value of a scalar into given.
func (b *binder) bindWord(c *node, w word, given map[string]any, earlier *node) {
	if w.Kind == driver.KindList && c.listed && (earlier == nil || earlier.listed) {
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

func (b *binder) bindFixed(c *node, f fixed, earlier *node) {
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
func (b *binder) alone(c, earlier *node) bool {
	switch {
	case earlier != nil:
		b.at(c, "is given twice; first in line %d", earlier.line)
	case c.listed:
		b.at(c, "takes one value, not a list")
	default:
		return true
	}
	return false
}

// value reads a scalar.
func (b *binder) value(c *node, w word) (any, bool) {
	switch c.kind {
	case broken:
		return nil, false
	case empty:
		b.at(c, `has no value; an empty text is written ""`)
		return nil, false
	case group:
		b.at(c, "takes one value, not settings of its own")
		return nil, false
	}
	text, foreign, err := expand(c.text, b.getenv)
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
func (b *binder) unknown(c *node, e *element) {
	if b.full() {
		return // looking for a better name takes a while
	}
	names := e.names()
	known := slices.Clone(names)
	for name := range e.refused {
		known = append(known, name)
	}
	slices.Sort(known) // the order of a map must not choose
	name := shortName(c.name)
	near := nearest(c.name, known)
	home := documentElement.home(c.name)
	switch {
	case near != "":
		b.add(c.pos, c.parent, "unknown name %q; did you mean %s?", name, near)
	case home != "" && home != e.name:
		b.add(c.pos, c.parent, "%q does not belong here but in %s", name, home)
	case len(names) <= 12:
		b.add(c.pos, c.parent, "unknown name %q; there are %s", name, strings.Join(names, ", "))
	default:
		b.add(c.pos, c.parent, "unknown name %q", name)
	}
}
