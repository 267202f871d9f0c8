package configfile

import (
	"slices"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache"
)

// read makes a tree of the document. It is nil if there is a problem that leaves nothing to look at.
func (r *report) read(data []byte) *configtree.Node {
	root := r.Parse(r.file, data)
	xml := configtree.IsXML(r.file, data)
	switch {
	case root == nil && r.Any():
		return nil
	case root == nil && xml:
		r.AddAt(configtree.Place{File: r.file}, nil, "the document is empty; it needs an element %s with a cacheManager", rootName)
		return nil
	case root == nil:
		r.AddAt(configtree.Place{File: r.file}, nil, "the document is empty; it needs a cacheManager")
		return nil
	case !xml:
		root.Name = rootName
	case root.Name == serverName:
		r.server(root)
	case root.Name != rootName:
		r.at(root, "the root element is %s, not %s", configtree.ShortName(root.Name), rootName)
		return nil
	}
	r.strict(root)
	return root
}

// server reads what it can of Open Liberty's server.xml: whoever has one is told all there is to do at once.
func (r *report) server(root *configtree.Node) {
	r.at(root, "the root element is %s, as in Open Liberty; here it is %s, with httpSession, httpSessionCache and cacheManager in it, "+
		"which is given the name of a provider: %s. What else a server has stays there", serverName, rootName, configtree.OrList(jcache.Providers()))
	root.Inner = slices.DeleteFunc(root.Inner, func(c *configtree.Node) bool { return documentElement.element(c.Name) == nil })
	root.Name, root.Text = rootName, ""
}

// strict takes out what XML knows and this file does not.
func (r *report) strict(n *configtree.Node) {
	if n.Space != "" {
		r.at(n, "is in a namespace; the elements of this file have none")
	}
	if n.Kind == configtree.Group && n.Text != "" {
		r.at(n, "has text beside its attributes and elements")
		n.Kind = configtree.Broken
	}
	inner := n.Inner[:0]
	for _, c := range n.Inner {
		switch {
		case c.Attribute && c.Space == configtree.InstanceNamespace:
			continue
		case c.Attribute && c.Space != "":
			r.AddAt(c.Place, n, "the attribute %s is in a namespace; the attributes of this file have none", configtree.ShortName(c.Name))
			continue
		case !c.Attribute:
			r.strict(c)
		}
		inner = append(inner, c)
	}
	n.Inner = inner
}
