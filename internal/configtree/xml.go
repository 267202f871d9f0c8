package configtree

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"strings"
)

// InstanceNamespace is that of attributes that say where the schema is.
const InstanceNamespace = "http://www.w3.org/2001/XMLSchema-instance"

var errEncoding = errors.New("only UTF-8 can be read")

// An openElement is an element whose end has not been read yet.
type openElement struct {
	*Node
	text []byte
}

// parseXML makes a tree of a document.
func (r *Report) parseXML(file string, data []byte) *Node {
	d := xml.NewDecoder(bytes.NewReader(data))
	d.CharsetReader = func(string, io.Reader) (io.Reader, error) { return nil, errEncoding }
	place := cursor{data: data}
	at := func(offset int) Place {
		line, column := place.at(offset)
		return Place{File: file, Line: line, Column: column}
	}
	var root *Node
	var open []openElement
	for {
		start := int(d.InputOffset())
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			return root
		}
		if err != nil {
			r.AddAt(at(int(d.InputOffset())), nil, "%s", xmlReason(err))
			return nil
		}
		switch t := token.(type) {
		case xml.Directive:
			r.AddAt(at(start), nil, "a DOCTYPE is not allowed; leave it out")
			return nil
		case xml.StartElement:
			begin := at(start)
			switch {
			case len(open) == MaxDepth:
				r.AddAt(begin, nil, "elements are nested deeper than %d", MaxDepth)
				return nil
			case len(open) > 0:
				open = append(open, openElement{Node: r.add(open[len(open)-1].Node, t.Name.Local, begin.Line, begin.Column)})
			case root != nil:
				r.AddAt(begin, nil, "there is a second root element; a document has one")
				return nil
			default:
				root = &Node{Place: begin, Name: t.Name.Local, Kind: Group}
				open = append(open, openElement{Node: root})
			}
			r.startElement(open[len(open)-1].Node, t, data[start:d.InputOffset()], start, &place)
		case xml.EndElement:
			open[len(open)-1].end()
			open = open[:len(open)-1]
		case xml.CharData:
			if len(open) > 0 {
				e := &open[len(open)-1]
				e.text = append(e.text, t...)
			} else if len(bytes.TrimSpace(t)) > 0 {
				r.AddAt(at(start), nil, "there is text outside of the root element")
				return nil
			}
		}
	}
}

// startElement adds an element's attributes to its node, without those that declare namespaces.
// tag is the text of the start tag, which begins at offset.
func (r *Report) startElement(n *Node, t xml.StartElement, tag []byte, offset int, place *cursor) {
	n.Space = t.Name.Space
	begins := attributeOffsets(tag)
	for i, a := range t.Attr {
		line, column := n.Line, n.Column
		if len(begins) == len(t.Attr) {
			line, column = place.at(offset + begins[i])
		}
		if a.Name.Space == "xmlns" || a.Name.Space == "" && a.Name.Local == "xmlns" {
			continue
		}
		c := r.add(n, a.Name.Local, line, column)
		c.Kind, c.Text, c.Attribute, c.Space = Scalar, a.Value, true, a.Name.Space
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

// end takes the text of an element. White space around it is there for the eye.
func (e openElement) end() {
	e.Text = strings.TrimSpace(string(e.text))
	if e.Text != "" && e.Kind == Empty {
		e.Kind = Scalar
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
