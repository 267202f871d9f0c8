package configfile

import (
	"bytes"
	"fmt"
	"path/filepath"
	"strings"
	"unicode/utf8"
)

const (
	maxBytes = 1 << 20
	maxDepth = 32
	maxNodes = 10_000

	// in messages
	maxNameBytes   = 64
	maxReasonBytes = 1000
)

// A node is an element or attribute of XML, or a value of YAML with its key.
type node struct {
	pos            // of the name, or of the entry of a YAML sequence
	name   string  // as it is written
	parent *node   // nil for the root
	kind   kind    // what is in it
	listed bool    // an entry of a YAML sequence, which has the sequence's name
	text   string  // of a scalar
	inner  []*node // of a group, in the order of the document
}

// A kind is what a node holds.
type kind uint8

const (
	empty  kind = iota // <a/>, or a YAML null
	scalar             // a text, perhaps of no characters
	group              // further nodes
	broken             // what has been reported
)

// A pos is a place in the document, counted in characters from 1.
type pos struct{ line, column int }

// grow makes a node inside of n.
func (r *report) grow(n *node, name string, at pos) *node {
	r.nodes++
	c := &node{pos: at, name: name, parent: n}
	n.inner, n.kind = append(n.inner, c), group
	return c
}

// place returns where n is. A Config that was not read from a file has no nodes.
func (n *node) place() pos {
	if n == nil {
		return pos{}
	}
	return n.pos
}

// child returns the first node of that name, or n itself if there is none: the next best
// place for a problem.
func (n *node) child(name string) *node { return n.nth(name, 0) }

// nth returns the i-th node of that name, or n itself.
func (n *node) nth(name string, i int) *node {
	if n == nil {
		return nil
	}
	for _, c := range n.inner {
		if c.name == name {
			if i == 0 {
				return c
			}
			i--
		}
	}
	return n
}

// setting returns the node of a cacheManager's property, such as tls.caFile, or n itself if
// it is not there.
func (n *node) setting(path string) *node {
	at := n.child(propertiesName)
	for name := range strings.SplitSeq(path, ".") {
		next := at.child(name)
		if next == at {
			return n
		}
		at = next
	}
	return at
}

// path names the nodes from below the root to n.
func (n *node) path() string {
	if n == nil || n.parent == nil {
		return ""
	}
	name, of, index := shortName(n.name), 0, 0
	for _, c := range n.parent.inner {
		if c.name == n.name {
			of++
		}
		if c == n {
			index = of
		}
	}
	if of > 1 {
		name = fmt.Sprintf("%s[%d]", name, index)
	}
	if above := n.parent.path(); above != "" {
		return above + "." + name
	}
	return name
}

// shorten cuts a text that is too long for a message.
func shorten(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	for !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes] + "…"
}

func shortName(name string) string { return shorten(name, maxNameBytes) }

// parse makes a tree of a document. It is nil if there is a problem that leaves nothing to
// look at.
func (r *report) parse(data []byte) *node {
	root := r.parseSyntax(data)
	if r.nodes > maxNodes {
		r.add(pos{}, nil, "the document has more than %d elements and attributes", maxNodes)
		return nil
	}
	return root
}

func (r *report) parseSyntax(data []byte) *node {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) > maxBytes {
		r.add(pos{}, nil, "the document has more than 1 MiB")
		return nil
	}
	if at, ok := readable(data); !ok {
		r.add(at, nil, "there is a character that is not text in UTF-8")
		return nil
	}
	if isXML(r.file, data) {
		return r.parseXML(data)
	}
	return r.parseYAML(data)
}

func isXML(file string, data []byte) bool {
	switch filepath.Ext(file) {
	case ".xml":
		return true
	case ".yaml", ".yml":
		return false
	}
	return bytes.HasPrefix(bytes.TrimSpace(data), []byte("<"))
}

// readable looks for what neither syntax allows: bytes that are not UTF-8, and control
// characters.
func readable(data []byte) (at pos, ok bool) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f {
			c := cursor{data: data}
			return c.at(i), false
		}
		i += size
	}
	return pos{}, true
}

// A cursor turns offsets, which must ascend, into places.
type cursor struct {
	data   []byte
	offset int
	pos    pos // of offset, from 0
}

func (c *cursor) at(offset int) pos {
	for c.offset < min(offset, len(c.data)) {
		if c.data[c.offset] == '\n' {
			c.pos = pos{c.pos.line + 1, 0}
		} else if utf8.RuneStart(c.data[c.offset]) {
			c.pos.column++
		}
		c.offset++
	}
	return pos{c.pos.line + 1, c.pos.column + 1}
}
