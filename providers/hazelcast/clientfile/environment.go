package clientfile

import (
	"os"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// environmentPrefix begins the variables that stand above the file, and misreadPrefix those that
// somebody took for such.
const (
	environmentPrefix = "HZCLIENT_"
	misreadPrefix     = "HZ_CLIENT_"
)

// environment reads the variables of the environment that say what the file would. Each has itself
// as its place.
func (r *reader) environment() {
	root := &node{Name: rootName, Kind: configtree.Group}
	for _, variable := range slices.Sorted(slices.Values(os.Environ())) {
		name, value, _ := strings.Cut(variable, "=")
		at := configtree.Place{File: name}
		switch path, ours := strings.CutPrefix(name, environmentPrefix); {
		case ours:
			r.set(root, at, strings.Split(environmental(path), "_"), value)
		case strings.HasPrefix(name, misreadPrefix):
			r.notice(&node{Place: at}, "is read by no client; the variables begin with %s", environmentPrefix)
		}
	}
	f := r.file
	if n := root.Find("network"); n != nil {
		f.Addresses, f.SingleMember, f.DialTimeout, f.TLS, f.AnyHost = nil, false, 0, nil, false
		r.forget(n, "servers", "network.", "tls.")
	}
	if n := root.Child("connectionstrategy").Find("connectionretry"); n != nil {
		f.Retry, f.ConnectTimeout, f.ConnectOnce = Retry{}, 0, false
		r.forget(n, "connectTimeout", "connection-strategy.connection-retry.")
	}
	if len(root.Inner) > 0 {
		r.client(root)
	}
}

// forget drops what the file says of a part: a variable that says something of it stands for all of
// it, as in Java.
func (r *reader) forget(part *node, prefixes ...string) {
	f := r.file
	before := len(f.Found)
	f.Found = slices.DeleteFunc(f.Found, func(one setting.Resolved) bool {
		return slices.ContainsFunc(prefixes, func(prefix string) bool { return strings.HasPrefix(one.Name, prefix) })
	})
	if len(f.Found) < before {
		r.notice(part, "stands for all that the file says here, as in Java; the file's own is not read")
	}
}

// set puts a value into the tree.
func (r *reader) set(n *node, at configtree.Place, path []string, value string) {
	for _, name := range path {
		c := n.Find(name)
		if c == nil {
			c = &node{Place: at, Name: name, Parent: n}
			n.Inner, n.Kind = append(n.Inner, c), configtree.Group
		}
		n = c
	}
	if n.Kind == configtree.Group {
		r.AddAt(at, nil, "has inner names of its own, and no value")
		return
	}
	n.Kind, n.Text = configtree.Scalar, value
}

func inEnvironment(n *node) bool { return strings.HasPrefix(n.File, environmentPrefix) }

// environmental is how the environment writes the names of a path.
func environmental(path string) string { return strings.ToLower(strings.ReplaceAll(path, "-", "")) }

// canonical gives a node of the environment the name that the format has for it.
func (g grammar) canonical(c *node) {
	for known := range g {
		if name := strings.TrimPrefix(known, "@"); strings.ReplaceAll(name, "-", "") == c.Name {
			c.Name = name
			return
		}
	}
}
