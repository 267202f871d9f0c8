package clientfile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

const (
	rootName      = "hazelcast-client"
	namespace     = "http://www.hazelcast.com/schema/client-config"
	xsiNamespace  = "http://www.w3.org/2001/XMLSchema-instance"
	schemaOfThree = "hazelcast-client-config-3."
)

// parseXML makes a tree of a document. The tree ends at the first problem of syntax.
func (r *reader) parseXML(file string, data []byte) *node {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errors.New("only UTF-8 can be read") }
	doc := &node{pos: pos{file: file}}
	open := []*node{doc}
	for {
		at := pos{file: file}
		at.line, at.col = d.InputPos()
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return r.onlyRoot(doc)
		}
		if err != nil {
			at.line, at.col = d.InputPos()
			text := err.Error()
			var syntax *xml.SyntaxError
			if errors.As(err, &syntax) {
				text = syntax.Msg
			}
			r.problem(at, "", "%s", text)
			return nil
		}
		parent := open[len(open)-1]
		switch t := token.(type) {
		case xml.StartElement:
			if len(open) > maxDepth {
				r.problem(at, parent.path, "elements are nested deeper than %d", maxDepth)
				return nil
			}
			open = append(open, r.startElement(parent, t, at))
		case xml.EndElement:
			open = open[:len(open)-1]
		case xml.CharData:
			if text := strings.TrimSpace(string(t)); text != "" {
				parent.text += text
				parent.kind = anyText
			}
		case xml.Directive:
			r.problem(at, "", "a DOCTYPE is not allowed")
			return nil
		}
	}
}

func (r *reader) startElement(parent *node, t xml.StartElement, at pos) *node {
	n := parent.add(t.Name.Local, at)
	if n.space = t.Name.Space; parent.name == "" { // n is the root: paths begin below it
		n.path = ""
	} else if n.space != parent.space {
		r.problem(at, n.path, "belongs to a namespace that is not known here")
	}
	seen := make(map[string]bool)
	for _, a := range t.Attr {
		switch {
		case a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns":
		case a.Name.Space == xsiNamespace:
			r.old = r.old || strings.Contains(a.Value, schemaOfThree)
		case a.Name.Space != "":
			r.problem(at, n.path, "the attribute %s belongs to a namespace that is not known here", a.Name.Local)
		case seen[a.Name.Local]:
			r.problem(at, n.path, "the attribute %s is given twice", a.Name.Local)
		default:
			seen[a.Name.Local] = true
			c := n.add(a.Name.Local, at)
			c.attr, c.text, c.kind = true, strings.TrimSpace(a.Value), anyText
		}
	}
	return n
}

// onlyRoot checks that the document holds what it should, and nothing else.
func (r *reader) onlyRoot(doc *node) *node {
	switch {
	case len(doc.children) == 0:
		r.problem(doc.pos, "", "there is no element %s", rootName)
		return nil
	case len(doc.children) > 1:
		r.problem(doc.children[1].pos, "", "a document has one root; %s is the second", doc.children[1].name)
		return nil
	case doc.text != "":
		r.problem(doc.pos, "", "there is text outside of the root")
		return nil
	}
	root := doc.children[0]
	switch root.name {
	case rootName:
		if root.space != namespace && !isYAML(root.file) {
			r.problem(root.pos, "", "%s must be in the namespace %s", rootName, namespace)
		}
		return root
	case "hazelcast":
		r.problem(root.pos, "", "this is the configuration of a member; a client's begins with %s", rootName)
	case "hazelcast-client-failover":
		r.problem(root.pos, "", "failover files are for Hazelcast Enterprise; name one of the client files in it")
	default:
		r.problem(root.pos, "", "the root is %s, not %s", root.name, rootName)
	}
	return nil
}
