package clientfile

import (
	"math"
	"slices"
	"sort"
	"strconv"
	"strings"
	"time"
)

// A grammar names what may stand in an element. The names of XML attributes begin with
// @; in YAML they are keys like the others.
type grammar map[string]rule

// A rule says what is done with a child. Children that are known to one generation of
// Hazelcast only say so.
type rule struct {
	read func(*node)
	in   generation
	many bool // it may occur more than once
}

type generation uint8

const (
	always    generation = iota
	onlyThree            // Hazelcast 3
	sinceFour            // Hazelcast 4 and 5
)

// section reads the children of an element.
func (r *reader) section(n *node, g grammar) {
	if n.text != "" || n.list {
		r.problem(n.pos, n.path, "must hold names with values")
		return
	}
	r.mixed(n, g)
}

// mixed is section for an element that may have a text as well.
func (r *reader) mixed(n *node, g grammar) {
	seen := make(map[string]bool)
	for _, c := range n.children {
		name := c.name
		if c.attr {
			name = "@" + name
		}
		found, ok := g[name]
		if !ok && !c.attr && isYAML(c.file) {
			found, ok = g["@"+name]
		}
		switch {
		case !ok:
			r.problem(c.pos, n.path, "%s is not known here%s", c.name, suggestion(g, c.name))
		case found.in == onlyThree && !r.old:
			r.problem(c.pos, n.path, "%s belongs to Hazelcast 3, which this file is not for", c.name)
		case found.in == sinceFour && r.old:
			r.problem(c.pos, n.path, "%s belongs to Hazelcast 4 and later; this file is for Hazelcast 3", c.name)
		case seen[c.name] && !found.many:
			r.problem(c.pos, n.path, "%s is given twice", c.name)
		default:
			seen[c.name] = true
			found.read(c)
		}
	}
}

func isYAML(file string) bool { return !strings.HasSuffix(strings.ToLower(file), ".xml") }

// suggestion names the known name that a misspelt one may stand for.
func suggestion(g grammar, name string) string {
	plain := func(s string) string {
		return strings.ToLower(strings.NewReplacer("-", "", "_", "", ".", "", "@", "").Replace(s))
	}
	names := make([]string, 0, len(g))
	for known := range g {
		names = append(names, known)
	}
	sort.Strings(names)
	for _, known := range names {
		bare := strings.TrimPrefix(known, "@")
		if near(plain(bare), plain(name)) {
			if bare == name {
				return "; it is an attribute"
			}
			return "; did you mean " + bare + "?"
		}
	}
	return ""
}

// near reports whether one letter makes the difference, or none.
func near(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1
}

// scalar returns a node's text; ok is false if that is a problem already.
func (r *reader) scalar(n *node, what string, allowed ...textKind) (text string, ok bool) {
	allowed = append(allowed, anyText)
	switch {
	case n.kind == broken:
	case len(n.children) > 0:
		r.problem(n.pos, n.path, "must be %s, not hold names", what)
	case n.text == "":
		r.problem(n.pos, n.path, "must be %s, and is empty", what)
	case !slices.Contains(allowed, n.kind):
		hint := ""
		if n.kind == quoted {
			hint = ", without quotes"
		} else if slices.Contains(allowed, quoted) {
			hint = ", in quotes"
		}
		r.problem(n.pos, n.path, "must be %s%s", what, hint)
	default:
		return n.text, true
	}
	return "", false
}

// text reads any text but none.
func (r *reader) text(to *string) func(*node) {
	return func(n *node) {
		if text, ok := r.scalar(n, "a text", quoted); ok {
			*to = text
		}
	}
}

// oneOf reads one of a few words.
func (r *reader) oneOf(to *string, words ...string) func(*node) {
	return func(n *node) {
		what := "one of " + strings.Join(words, ", ")
		text, ok := r.scalar(n, what, quoted)
		if ok && !slices.Contains(words, text) {
			r.problem(n.pos, n.path, "must be %s", what)
			return
		}
		*to = text
	}
}

func (r *reader) boolean(to *bool) func(*node) {
	return func(n *node) {
		text, ok := r.scalar(n, "true or false", boolean)
		if !ok {
			return
		}
		switch text {
		case "true", "1":
			*to = true
		case "false", "0":
			*to = false
		default:
			r.problem(n.pos, n.path, "must be true or false")
		}
	}
}

func (r *reader) integer(to *int64, least int64) func(*node) {
	return func(n *node) {
		text, ok := r.scalar(n, "a whole number", number)
		if !ok {
			return
		}
		v, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil || v > math.MaxInt32:
			r.problem(n.pos, n.path, "must be a whole number of 32 bits")
		case v < least:
			r.problem(n.pos, n.path, "must be %d or more", least)
		default:
			*to = v
		}
	}
}

// time reads a whole number of units. A negative one, where it is allowed, means none.
func (r *reader) time(to *time.Duration, unit time.Duration, least int64) func(*node) {
	return func(n *node) {
		v := int64(-1)
		if r.integer(&v, least)(n); v >= 0 {
			*to = time.Duration(v) * unit
		}
	}
}

func (r *reader) decimal(to *float64) func(*node) {
	return func(n *node) {
		text, ok := r.scalar(n, "a number", number)
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || v < 0 {
			r.problem(n.pos, n.path, "must be a number, not negative")
			return
		}
		*to = v
	}
}

// texts reads a list: repeated elements of that name in XML, a sequence in YAML.
func (r *reader) texts(to *[]string, name string) func(*node) {
	return func(n *node) {
		if n.list {
			for _, c := range n.children {
				r.appendText(to, c)
			}
			return
		}
		if isYAML(n.file) {
			r.problem(n.pos, n.path, "must be a list")
			return
		}
		r.section(n, grammar{name: {read: func(c *node) { r.appendText(to, c) }, many: true}})
	}
}

func (r *reader) appendText(to *[]string, n *node) {
	var text string
	if r.text(&text)(n); text != "" {
		*to = append(*to, text)
	}
}

// properties reads named values of any type: property elements in XML, a mapping in
// YAML.
func (r *reader) properties(each func(name string, n *node)) func(*node) {
	return func(n *node) {
		if isYAML(n.file) {
			if n.list || n.text != "" {
				r.problem(n.pos, n.path, "must hold names with values")
				return
			}
			for _, c := range n.children {
				if c.kind != noText {
					c.kind = anyText
				}
				each(c.name, c)
			}
			return
		}
		r.section(n, grammar{"property": {many: true, read: func(c *node) {
			var name string
			r.mixed(c, grammar{"@name": {read: r.text(&name)}})
			if name == "" {
				r.problem(c.pos, c.path, "has no name")
				return
			}
			value := *c
			value.children, value.path = nil, n.path+"/"+name
			each(name, &value)
		}}})
	}
}

// ignored reads what means nothing to this client, whatever is in it.
func (r *reader) ignored(why string) func(*node) {
	return func(n *node) { r.notice(n, "is ignored: %s", why) }
}

// refused reads what must not be ignored.
func (r *reader) refused(why string) func(*node) {
	return func(n *node) { r.problem(n.pos, n.path, "%s", why) }
}

// nothing reads what needs no remark.
func nothing(*node) {}
