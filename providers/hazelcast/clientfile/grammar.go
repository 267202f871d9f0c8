package clientfile

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/internal/configtree"
)

// A grammar names what may stand in an element. The names of XML attributes begin with
// @; in YAML they are keys like the others.
type grammar map[string]rule

// A rule says what is done with a child. Children that are known to one generation of
// Hazelcast only say so.
type rule struct {
	read func(*node)
	// list is in the place of read for what is a list in YAML: it gets all entries.
	list func([]*node)
	in   generation
	many bool // it may occur more than once
	skip bool // it is not looked into, so that it may be a list
}

type generation uint8

const (
	always    generation = iota
	onlyThree            // Hazelcast 3
	sinceFour            // Hazelcast 4 and 5
)

// section reads what is in an element.
func (r *reader) section(n *node, g grammar) {
	switch {
	case n.Kind == configtree.Broken:
		return
	case n.Listed || n.Text != "":
		r.Add(n, "must hold names with values")
		return
	case n.Kind == configtree.Empty && isYAML(n.File):
		r.Add(n, "is empty; leave it out, or indent what belongs to it")
		return
	}
	r.mixed(n, g)
}

// mixed is section for an element that may have a text as well.
func (r *reader) mixed(n *node, g grammar) {
	seen := make(map[string]bool)
	for _, c := range n.Inner {
		if inEnvironment(c) {
			g.canonical(c)
		}
		found, ok := g.find(c)
		again := seen[c.Name] && !found.many && !c.Listed
		seen[c.Name] = true
		switch {
		case !ok:
			r.AddAt(c.Place, n, "%s is not known here%s", configtree.ShortName(c.Name), g.suggestion(c.Name))
		case found.in == onlyThree && !r.old:
			r.AddAt(c.Place, n, "%s belongs to Hazelcast 3, which this file is not for", c.Name)
		case found.in == sinceFour && r.old:
			r.AddAt(c.Place, n, "%s belongs to Hazelcast 4 and later; this file is for Hazelcast 3", c.Name)
		case again:
			r.AddAt(c.Place, n, "%s is given twice", c.Name)
		case found.list != nil:
			if c.Listed && n.Child(c.Name) != c {
				continue // it was read with the first entry
			}
			found.list(listOf(n, c))
		case c.Listed && found.skip && n.Child(c.Name) != c:
		case c.Listed && !found.many && !found.skip:
			r.Add(c, "takes one value, not a list")
		default:
			found.read(c)
		}
	}
}

// find returns the rule for a child. What YAML has as a key may be an attribute in XML.
func (g grammar) find(c *node) (rule, bool) {
	name := c.Name
	if c.Attribute {
		name = "@" + name
	}
	found, ok := g[name]
	if !ok && !c.Attribute && isYAML(c.File) {
		found, ok = g["@"+name]
	}
	return found, ok
}

// suggestion names the known name that a misspelt one may stand for.
func (g grammar) suggestion(name string) string {
	if _, ok := g["@"+name]; ok {
		return "; it is an attribute"
	}
	if _, ok := g[name]; ok {
		return "; it is an element"
	}
	names := make([]string, 0, len(g))
	for known := range g {
		names = append(names, strings.TrimPrefix(known, "@"))
	}
	slices.Sort(names)
	for _, known := range names {
		if strings.EqualFold(squashed(known), squashed(name)) {
			return "; did you mean " + known + "?"
		}
	}
	if near := configtree.Nearest(name, names); near != "" {
		return "; did you mean " + near + "?"
	}
	return ""
}

// squashed is a name without what people put between its words.
func squashed(name string) string {
	return strings.NewReplacer("-", "", "_", "", ".", "").Replace(name)
}

// listOf returns the entries of the list that c begins, or c alone.
func listOf(n, c *node) []*node {
	if !c.Listed {
		return []*node{c}
	}
	var list []*node
	for _, one := range n.Inner {
		if one.Name == c.Name {
			list = append(list, one)
		}
	}
	return list
}

// scalar returns a node's text; ok is false if that is a problem already.
func (r *reader) scalar(n *node, what string, allowed ...configtree.Type) (text string, ok bool) {
	switch {
	case n.Kind == configtree.Broken:
	case len(n.Inner) > 0:
		r.Add(n, "must be %s, not hold names", what)
	case strings.TrimSpace(n.Text) == "":
		r.Add(n, "must be %s, and is empty", what)
	case n.Type != configtree.Text && !slices.Contains(allowed, n.Type):
		r.Add(n, "must be %s", what)
	default:
		return strings.TrimSpace(n.Text), true
	}
	return "", false
}

// text reads any text but none.
func (r *reader) text(to *string) func(*node) { return r.named("", to) }

// named is text for what the provider has a setting for.
func (r *reader) named(name string, to *string) func(*node) {
	return func(n *node) {
		if text, ok := r.scalar(n, "a text", configtree.Bool, configtree.Number, configtree.Other); ok {
			*to = text
			r.found(r.nameOf(name, n), n, text)
		}
	}
}

// nameOf is the name of the setting, or the path of the node if there is none.
func (r *reader) nameOf(name string, n *node) string {
	if name == "" {
		return n.Path()
	}
	return name
}

// oneOf reads one of a few words.
func (r *reader) oneOf(to *string, words ...string) func(*node) {
	return func(n *node) {
		what := "one of " + strings.Join(words, ", ")
		text, ok := r.scalar(n, what, configtree.Bool) // OFF and ON are true and false to some
		if ok && !slices.Contains(words, text) {
			r.Add(n, "must be %s", what)
			return
		}
		if ok {
			r.found(n.Path(), n, text)
		}
		*to = text
	}
}

// boolean reads true or false.
func (r *reader) boolean(to *bool) func(*node) {
	return func(n *node) {
		if v, ok := r.truth(n); ok {
			*to = v
			r.found(n.Path(), n, v)
		}
	}
}

// flag is boolean for what means nothing by itself.
func (r *reader) flag(to *bool) func(*node) {
	return func(n *node) {
		if v, ok := r.truth(n); ok {
			*to = v
		}
	}
}

// truth reads true or false, of which XML also has 1 and 0, and YAML other cases.
func (r *reader) truth(n *node) (value, ok bool) {
	text, ok := r.scalar(n, "true or false", configtree.Bool)
	if !ok {
		return false, false
	}
	if n.Type == configtree.Bool {
		text = strings.ToLower(text)
	}
	switch {
	case text == "true" || text == "1" && !isYAML(n.File):
		return true, true
	case text == "false" || text == "0" && !isYAML(n.File):
		return false, true
	}
	r.Add(n, "must be true or false")
	return false, false
}

func (r *reader) integer(to *int64, least int64) func(*node) {
	return r.long(to, least, math.MaxInt32)
}

func (r *reader) long(to *int64, least, most int64) func(*node) {
	return func(n *node) {
		text, ok := r.scalar(n, "a whole number", configtree.Number)
		if !ok {
			return
		}
		v, err := strconv.ParseInt(text, 10, 64)
		switch {
		case err != nil || v > most:
			r.Add(n, "must be a whole number, %d or less", most)
		case v < least:
			r.Add(n, "must be %d or more", least)
		default:
			*to = v
		}
	}
}

// time reads a whole number of units.
func (r *reader) time(to *time.Duration, unit time.Duration, least int64) func(*node) {
	return func(n *node) {
		v := int64(-1)
		if r.integer(&v, least)(n); v >= 0 {
			*to = time.Duration(v) * unit
			r.found(n.Path(), n, *to)
		}
	}
}

func (r *reader) decimal(to *float64, least, most float64) func(*node) {
	return func(n *node) {
		text, ok := r.scalar(n, "a number", configtree.Number)
		if !ok {
			return
		}
		v, err := strconv.ParseFloat(text, 64)
		if err != nil || math.IsInf(v, 0) || math.IsNaN(v) || strings.ContainsAny(text, "xXpP_") {
			r.Add(n, "must be a number")
			return
		}
		if v < least {
			r.Add(n, "must be %g or more", least)
			return
		}
		if v > most {
			r.Add(n, "must be %g or less", most)
			return
		}
		*to = v
		r.found(n.Path(), n, text)
	}
}

// entries returns the entries of a list: repeated elements of that name in XML, a sequence in
// YAML.
func (r *reader) entries(list []*node, name string) (entries []*node) {
	switch n := list[0]; {
	case n.Listed || n.Kind == configtree.Broken:
		return list
	case inEnvironment(n) && n.Kind == configtree.Group:
		return n.Inner
	case inEnvironment(n):
		r.Add(n, "takes no value; each entry has a variable of its own, %s_0 and so on", n.File)
		return nil
	}
	if isYAML(list[0].File) {
		r.Add(list[0], "must be a list")
		return nil
	}
	for _, n := range list {
		r.section(n, grammar{name: {read: func(c *node) { entries = append(entries, c) }, many: true}})
	}
	return entries
}

// texts reads a list of texts.
func (r *reader) texts(to *[]string, name string) func([]*node) {
	return func(list []*node) {
		for _, c := range r.entries(list, name) {
			var text string
			r.text(&text)(c)
			switch again := slices.Contains(*to, text); {
			case again && c.Listed:
				r.Add(c, "is given twice")
			case text != "" && !again:
				*to = append(*to, text)
			}
		}
	}
}

// properties reads named values of any type: property elements in XML, a mapping in
// YAML. The last of a name holds.
func (r *reader) properties(each func(name string, n *node)) func(*node) {
	return func(n *node) {
		if inEnvironment(n) {
			r.Add(n, "variables cannot name properties, which have dots")
			return
		}
		last := make(map[string]*node)
		var names []string
		keep := func(c *node) {
			if last[c.Name] == nil {
				names = append(names, c.Name)
			}
			last[c.Name] = c
		}
		if isYAML(n.File) {
			whatever := make(grammar)
			for _, c := range n.Inner {
				whatever[c.Name] = rule{read: keep}
				c.Type = configtree.Text
				if c.Kind == configtree.Empty {
					r.Add(c, "has no value")
				}
			}
			r.section(n, whatever)
		} else {
			r.section(n, grammar{"property": {many: true, read: func(c *node) {
				var name string
				r.mixed(c, grammar{"@name": {read: func(attribute *node) { name, _ = r.scalar(attribute, "a text") }}})
				if name == "" {
					r.Add(c, "has no name")
					return
				}
				value := *c
				value.Name, value.Inner, value.Kind = name, nil, configtree.Scalar
				keep(&value)
			}}})
		}
		for _, name := range names {
			each(name, last[name])
		}
	}
}

// ignored reads what means nothing to this client, whatever is in it.
func (r *reader) ignored(why string) func(*node) {
	return func(n *node) { r.notice(n, "is ignored: %s", why) }
}

// refused reads what must not be ignored.
func (r *reader) refused(why string) func(*node) {
	return func(n *node) { r.Add(n, "%s", why) }
}

// nothing reads what needs no remark.
func nothing(*node) {}
