package clientfile

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// A generator makes files of what a client's file may say.
type generator struct{ *rand.Rand }

// A branch is an element, or a value of it.
type branch struct {
	name  string
	text  string // of a leaf
	attr  bool   // it is an attribute in XML
	item  string // the name of the entries of a list, in XML
	items []string
	inner []branch
}

func (g *generator) maybe() bool { return g.IntN(3) == 0 }

func (g *generator) one(texts ...string) string { return texts[g.IntN(len(texts))] }

// leaves takes some of the leaves, each with one of its texts; the last text of each is the least
// likely, since it is wrong.
func (g *generator) leaves(all ...[]string) (some []branch) {
	for _, one := range all {
		if !g.maybe() {
			continue
		}
		name, attr := strings.CutPrefix(one[0], "@")
		texts := one[1:]
		if len(texts) > 1 && g.IntN(12) > 0 {
			texts = texts[:len(texts)-1]
		}
		some = append(some, branch{name: name, attr: attr, text: g.one(texts...)})
	}
	return some
}

// values makes a file's content at random.
func (g *generator) values() branch {
	root := branch{name: rootName}
	add := func(b branch) {
		if len(b.inner) > 0 || len(b.items) > 0 {
			root.inner = append(root.inner, b)
		}
	}
	root.inner = g.leaves([]string{"cluster-name", "shop", "a b", "Ümlaut", "x"}, []string{"instance-name", "web-1", "i", "y"},
		[]string{"backup-ack-to-client-enabled", "true", "false", "maybe"})
	network := branch{name: "network", inner: g.leaves([]string{"smart-routing", "true", "false", "0.5"}, []string{"redo-operation", "true", "false", "2"},
		[]string{"connection-timeout", "1", "500", "2147483647", "2147483648"})}
	if g.maybe() {
		members := branch{name: "cluster-members", item: "address"}
		for range 1 + g.IntN(3) {
			members.items = append(members.items, g.one("10.1.0.5", "10.1.0.5:5701", "fd00::5", "[fd00::6]:5701", "host.example", "host:1", "a, b:2"))
		}
		network.inner = append(network.inner, members)
	}
	add(network)
	retry := branch{name: "connection-retry", inner: g.leaves([]string{"initial-backoff-millis", "1", "1000", "-1"}, []string{"max-backoff-millis", "2000", "30000", "x"},
		[]string{"multiplier", "1", "1.5", "2.25", "0.9"}, []string{"jitter", "0.5", "1", "1.1"},
		[]string{"cluster-connect-timeout-millis", "-1", "0", "20000", "99999999999", "-2"})}
	strategy := branch{name: "connection-strategy", inner: g.leaves([]string{"@async-start", "true", "false", "5"}, []string{"@reconnect-mode", "ON", "ASYNC", "never"})}
	if len(retry.inner) > 0 {
		strategy.inner = append(strategy.inner, retry)
	}
	add(strategy)
	if g.maybe() {
		add(branch{name: "client-labels", item: "label", items: []string{g.one("a", "b"), g.one("c", "d", "a")}})
	}
	if g.maybe() {
		identity := branch{name: "username-password", inner: []branch{{name: "username", attr: true, text: "u"}, {name: "password", attr: true, text: "p"}}}
		if g.IntN(8) == 0 {
			identity.inner = identity.inner[:1]
		}
		add(branch{name: "security", inner: []branch{identity}})
	}
	add(branch{name: "serialization", inner: g.leaves([]string{"use-native-byte-order", "true", "false", "x"}, []string{"byte-order", "BIG_ENDIAN", "LITTLE_ENDIAN", "MIDDLE"},
		[]string{"portable-version", "0", "3", "x"})})
	add(branch{name: "load-balancer", inner: g.leaves([]string{"@type", "random", "round-robin", "fair"})})
	if g.IntN(20) == 0 {
		root.inner = append(root.inner, branch{name: g.one("cluster-nam", "nonsense"), text: "x"})
	}
	g.Shuffle(len(root.inner), func(i, j int) { root.inner[i], root.inner[j] = root.inner[j], root.inner[i] })
	return root
}

func (b branch) xml() string {
	var out strings.Builder
	b.writeXML(&out, ` xmlns="`+clientNamespace+`"`)
	return out.String()
}

func (b branch) writeXML(out *strings.Builder, attributes string) {
	for _, c := range b.inner {
		if c.attr {
			attributes += fmt.Sprintf(" %s=%q", c.name, c.text)
		}
	}
	fmt.Fprintf(out, "<%s%s>%s", b.name, attributes, b.text)
	for _, item := range b.items {
		fmt.Fprintf(out, "<%s>%s</%s>", b.item, item, b.item)
	}
	for _, c := range b.inner {
		if !c.attr {
			c.writeXML(out, "")
		}
	}
	fmt.Fprintf(out, "</%s>", b.name)
}

func (b branch) yaml() string {
	var out strings.Builder
	b.writeYAML(&out, "")
	return out.String()
}

func (b branch) writeYAML(out *strings.Builder, indent string) {
	fmt.Fprintf(out, "%s%s:", indent, b.name)
	if b.text != "" {
		fmt.Fprintf(out, " %s", b.text)
	}
	out.WriteString("\n")
	for _, item := range b.items {
		fmt.Fprintf(out, "%s  - %q\n", indent, item)
	}
	for _, c := range b.inner {
		c.writeYAML(out, indent+"  ")
	}
}
