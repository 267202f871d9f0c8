package configfile

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

const instanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"

var errEncoding = errors.New("only UTF-8 can be read")

// An openElement is an element whose end has not been read yet.
type openElement struct {
	*node
	text []byte
}

// parseXML makes a tree of a document.
func (r *report) parseXML(data []byte) *node {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errEncoding }
	place := cursor{data: data}
	var root *node
	var open []openElement
	for {
		start := int(d.InputOffset())
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			r.add(place.at(int(d.InputOffset())), nil, "%s", xmlReason(err))
			return nil
		}
		switch t := token.(type) {
		case xml.Directive:
			r.add(place.at(start), nil, "a DOCTYPE is not allowed; leave it out")
			return nil
		case xml.StartElement:
			at := place.at(start)
			switch {
			case len(open) == maxDepth:
				r.add(at, nil, "elements are nested deeper than %d", maxDepth)
				return nil
			case len(open) > 0:
				open = append(open, openElement{node: r.grow(open[len(open)-1].node, t.Name.Local, at)})
			case root != nil:
				r.add(at, nil, "there is a second root element; a document has one")
				return nil
			default:
				root = &node{pos: at, name: t.Name.Local, kind: group}
				open = append(open, openElement{node: root})
			}
			r.startElement(open[len(open)-1].node, t, data[start:d.InputOffset()], start, &place)
		case xml.EndElement:
			r.endElement(open[len(open)-1])
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				e := &open[len(open)-1]
				e.text = append(e.text, t...)
			} else if len(bytes.TrimSpace(t)) > 0 {
				r.add(place.at(start), nil, "there is text outside of the root element")
				return nil
			}
		}
	}
	if root == nil {
		r.add(pos{}, nil, "the document is empty; it needs an element %s with a cacheManager", rootName)
		return nil
	}
	if root.name != rootName {
		r.at(root, "the root element is %s, not %s", rootName, shortName(root.name))
		return nil
	}
	return root
}

// startElement adds an element's attributes to its node. tag is the text of the start
// tag, which begins at offset.
func (r *report) startElement(n *node, t xml.StartElement, tag []byte, offset int, place *cursor) {
	if t.Name.Space != "" {
		r.at(n, "is in a namespace; the elements of this file have none")
	}
	begins := attributeOffsets(tag)
	for i, a := range t.Attr {
		at := n.pos
		if len(begins) == len(t.Attr) {
			at = place.at(offset + begins[i])
		}
		switch {
		case a.Name.Space == "xmlns", a.Name.Space == instanceNamespace:
		case a.Name.Space == "" && a.Name.Local == "xmlns":
		case a.Name.Space != "":
			r.add(at, n, "the attribute %s is in a namespace; the attributes of this file have none", shortName(a.Name.Local))
		default:
			c := r.grow(n, a.Name.Local, at)
			c.kind, c.text = scalar, a.Value
		}
	}
}

// attributeOffsets returns where the names of the attributes begin in a start tag that
// the decoder has accepted.
func attributeOffsets(tag []byte) []int {
	var begins []int
	i := bytes.IndexAny(tag, " \t\r\n/>")
	for i >= 0 && i < len(tag) {
		if strings.IndexByte(" \t\r\n/>", tag[i]) >= 0 {
			i++
			continue
		}
		begins = append(begins, i)
		quote := bytes.IndexAny(tag[i:], `"'`)
		if quote < 0 {
			break
		}
		i += quote
		end := bytes.IndexByte(tag[i+1:], tag[i])
		if end < 0 {
			break
		}
		i += 1 + end + 1
	}
	return begins
}

// endElement takes the text of an element that has nothing else. White space around it is
// there for the eye.
func (r *report) endElement(e openElement) {
	text := strings.TrimSpace(string(e.text))
	switch {
	case text == "":
	case e.kind == group:
		r.at(e.node, "has text beside its attributes and elements")
		e.kind = broken
	default:
		e.kind, e.node.text = scalar, text
	}
}

// xmlReason is the decoder's message. It may not show what could be a piece of a value.
func xmlReason(err error) string {
	if errors.Is(err, errEncoding) {
		return errEncoding.Error()
	}
	text := strings.TrimPrefix(err.Error(), "xml: ")
	var syntax *xml.SyntaxError
	if errors.As(err, &syntax) {
		text = syntax.Msg
	}
	switch {
	case strings.HasPrefix(text, "invalid character entity"):
		return "an & begins an entity that is not known; the character itself is written &amp;"
	case strings.HasPrefix(text, "unescaped <"):
		return "there is a < in an attribute; the character is written &lt;"
	case strings.Contains(text, "EOF"):
		return "the document ends before its elements do"
	}
	return text
}
