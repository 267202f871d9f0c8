package clientfile

import (
	"os"
	"strings"
)

// replace replaces the variables in the texts of a tree.
func (r *reader) replace(n *node) {
	if strings.Contains(n.text, "${") {
		before := len(r.problems)
		n.text, n.kind = r.expand(n), anyText
		if len(r.problems) > before {
			n.kind = broken
		}
	}
	for _, c := range n.children {
		r.replace(c)
	}
}

func (r *reader) expand(n *node) string {
	var out strings.Builder
	rest := n.text
	for {
		before, after, ok := strings.Cut(rest, "${")
		out.WriteString(before)
		if !ok {
			return out.String()
		}
		variable, tail, ok := strings.Cut(after, "}")
		if !ok {
			r.problem(n.pos, n.path, "the variable that begins with ${ has no }")
			return out.String()
		}
		name, standard, hasStandard := strings.Cut(variable, ":-")
		value, set := lookup(name)
		switch {
		case set:
			out.WriteString(value)
		case hasStandard:
			out.WriteString(standard)
		default:
			r.problem(n.pos, n.path, "${%s} is not set; it is looked for in the environment, as %s too", name, conventional(name))
		}
		rest = tail
	}
}

func lookup(name string) (string, bool) {
	if value, ok := os.LookupEnv(name); ok {
		return value, true
	}
	return os.LookupEnv(conventional(name))
}

// conventional is the name that shells allow: in capitals, with underscores.
func conventional(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z':
			return c - 'a' + 'A'
		case c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
			return c
		default:
			return '_'
		}
	}, name)
}
