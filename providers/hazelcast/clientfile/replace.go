package clientfile

import (
	"os"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/configtree"
)

// replace replaces the variables in the texts of a tree.
func (r *reader) replace(n *node) {
	if strings.Contains(n.Text, "${") {
		var ok bool
		if n.Text, ok = r.expand(n); !ok {
			n.Kind = configtree.Broken
		}
		n.Type = configtree.Text
	}
	for _, c := range n.Inner {
		r.replace(c)
	}
}

func (r *reader) expand(n *node) (text string, ok bool) {
	var out strings.Builder
	rest, good := n.Text, true
	for {
		before, after, ok := strings.Cut(rest, "${")
		out.WriteString(before)
		if !ok {
			return out.String(), good
		}
		variable, tail, ok := strings.Cut(after, "}")
		if !ok {
			r.Add(n, "the variable that begins with ${ has no }")
			return "", false
		}
		name, standard, hasStandard := strings.Cut(variable, ":-")
		value, set := lookup(name)
		switch {
		case set:
			out.WriteString(value)
		case hasStandard:
			out.WriteString(standard)
		default:
			r.Add(n, "${%s} is not set; it is looked for in the environment, as %s too", configtree.ShortName(name), configtree.ShortName(conventional(strings.TrimPrefix(name, "env."))))
			good = false
		}
		rest = tail
	}
}

func lookup(name string) (string, bool) {
	name = strings.TrimPrefix(name, "env.")
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
