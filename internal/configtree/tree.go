// Package configtree reads XML and YAML into one tree with positions, from which strict readers of
// configuration files take what they know. It says what is wrong with the syntax, and collects what
// the readers find, with the path to each place.
package configtree

import (
	"bytes"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// What a document may be at most.
const (
	MaxBytes = 1 << 20
	MaxDepth = 32
	MaxNodes = 10_000
)

// in messages
const (
	maxNameBytes   = 64
	maxReasonBytes = 1000
)

// A Place is where a node begins: its name, or the entry of a YAML sequence.
type Place = setting.Place

// A Node is an element or attribute of XML, or a value of YAML with its key.
type Node struct {
	Place
	Name      string // as it is written
	Parent    *Node  // nil for the root
	Kind      Kind
	Listed    bool    // an entry of a YAML sequence, which has the sequence's name
	Attribute bool    // of XML
	Space     string  // the namespace, of XML
	Type      Type    // of a scalar
	Text      string  // of a scalar; XML may also have one in a group
	Inner     []*Node // of a group, in the order of the document
}

// A Kind is what a node holds.
type Kind uint8

// The kinds.
const (
	Empty  Kind = iota // <a/>, or a YAML null
	Scalar             // a text, perhaps of no characters
	Group              // further nodes
	Broken             // what has been reported
)

// A Type is what YAML makes of a scalar. XML has texts only.
type Type uint8

// The types.
const (
	Text Type = iota
	Bool
	Number
	Other
)

// add makes a node inside of n.
func (r *Report) add(n *Node, name string, line, column int) *Node {
	r.nodes++
	c := &Node{Place: Place{File: n.File, Line: line, Column: column}, Name: name, Parent: n}
	n.Inner, n.Kind = append(n.Inner, c), Group
	return c
}

// At returns where n is. A configuration that was not read from a file has no nodes.
func (n *Node) At() Place {
	if n == nil {
		return Place{}
	}
	return n.Place
}

// Child returns the first node of that name, or n itself if there is none: the next best
// place for a problem.
func (n *Node) Child(name string) *Node { return n.Nth(name, 0) }

// Nth returns the i-th node of that name, or n itself.
func (n *Node) Nth(name string, i int) *Node {
	if n == nil {
		return nil
	}
	for _, c := range n.Inner {
		if c.Name == name {
			if i == 0 {
				return c
			}
			i--
		}
	}
	return n
}

// Find returns the first node of that name, or nil.
func (n *Node) Find(name string) *Node {
	if c := n.Child(name); c != n {
		return c
	}
	return nil
}

// Path names the nodes from below the root to n.
func (n *Node) Path() string {
	if n == nil || n.Parent == nil {
		return ""
	}
	name, of, index := ShortName(n.Name), 0, 0
	for _, c := range n.Parent.Inner {
		if c.Name == n.Name {
			of++
		}
		if c == n {
			index = of
		}
	}
	if of > 1 {
		name = fmt.Sprintf("%s[%d]", name, index)
	}
	if above := n.Parent.Path(); above != "" {
		return above + "." + name
	}
	return name
}

// Shorten cuts a text that is too long for a message.
func Shorten(text string, bytes int) string {
	if len(text) <= bytes {
		return text
	}
	for !utf8.RuneStart(text[bytes]) {
		bytes--
	}
	return text[:bytes] + "…"
}

// ShortName cuts a name that is too long for a message.
func ShortName(name string) string { return Shorten(name, maxNameBytes) }

// Parse makes a tree of a document, whose name tells the syntax. It is nil if the document is
// empty, or has a problem that leaves nothing to look at.
func (r *Report) Parse(file string, data []byte) *Node {
	r.nodes = 0
	root := r.parse(file, data)
	if r.nodes > MaxNodes {
		r.AddAt(Place{File: file}, nil, "the document has more than %d elements and attributes", MaxNodes)
		return nil
	}
	return root
}

func (r *Report) parse(file string, data []byte) *Node {
	data = bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	if len(data) > MaxBytes {
		r.AddAt(Place{File: file}, nil, "the document has more than 1 MiB")
		return nil
	}
	if line, column, ok := readable(data); !ok {
		r.AddAt(Place{File: file, Line: line, Column: column}, nil, "there is a character that is not text in UTF-8")
		return nil
	}
	if IsXML(file, data) {
		return r.parseXML(file, data)
	}
	return r.parseYAML(file, data)
}

// IsXML tells the syntax by the end of the name, or by the first character.
func IsXML(file string, data []byte) bool {
	switch strings.ToLower(filepath.Ext(file)) {
	case ".xml":
		return true
	case ".yaml", ".yml":
		return false
	}
	return bytes.HasPrefix(bytes.TrimSpace(data), []byte("<"))
}

// readable looks for what neither syntax allows: bytes that are not UTF-8, and control
// characters.
func readable(data []byte) (line, column int, ok bool) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size == 1 || r < ' ' && r != '\t' && r != '\n' && r != '\r' || r == 0x7f {
			c := cursor{data: data}
			line, column = c.at(i)
			return line, column, false
		}
		i += size
	}
	return 0, 0, true
}

// A cursor turns offsets, which must ascend, into lines and columns.
type cursor struct {
	data         []byte
	offset       int
	line, column int // of offset, from 0
}

func (c *cursor) at(offset int) (line, column int) {
	for c.offset < min(offset, len(c.data)) {
		if c.data[c.offset] == '\n' {
			c.line, c.column = c.line+1, 0
		} else if utf8.RuneStart(c.data[c.offset]) {
			c.column++
		}
		c.offset++
	}
	return c.line + 1, c.column + 1
}

// A Report collects the problems of documents.
type Report struct {
	nodes    int // of the document
	problems []problem
	more     int
}

type problem struct {
	Place
	node   *Node // its path is only known when the tree is complete
	reason string
}

// maxProblems bounds what is reported of a file that is not a configuration at all.
const maxProblems = 100

// Full reports, and counts, that there is no room for another problem.
func (r *Report) Full() bool {
	if len(r.problems) < maxProblems {
		return false
	}
	r.more++
	return true
}

// AddAt reports a problem at a place that belongs to a node, which may be nil.
func (r *Report) AddAt(at Place, n *Node, format string, args ...any) {
	if r.Full() {
		return
	}
	r.problems = append(r.problems, problem{at, n, oneLine(fmt.Sprintf(format, args...))})
}

// Add reports a problem at the place of a node.
func (r *Report) Add(n *Node, format string, args ...any) { r.AddAt(n.At(), n, format, args...) }

// oneLine makes a message of a text, whatever is quoted in it.
func oneLine(text string) string {
	text = strings.Map(func(c rune) rune {
		if c == '\n' || c == '\t' || c == '\r' {
			return ' '
		}
		return c
	}, text)
	return Shorten(text, maxReasonBytes)
}

// Problems returns what was reported, in the order of the places: those of the file first, then those of
// others by their names.
func (r *Report) Problems(first string) []*setting.Problem {
	var all []*setting.Problem
	for _, p := range r.problems {
		all = append(all, &setting.Problem{Place: p.Place, Path: p.node.Path(), Reason: p.reason})
	}
	slices.SortStableFunc(all, func(a, b *setting.Problem) int { return a.Compare(b.Place, first) })
	if r.more > 0 {
		all = append(all, &setting.Problem{Place: Place{File: first}, Reason: fmt.Sprintf("%d more problems are not shown", r.more)})
	}
	return all
}

// Any reports whether there are problems.
func (r *Report) Any() bool { return len(r.problems) > 0 }

// Has reports whether a problem was reported at a place, or of the same reason.
func (r *Report) Has(at Place, reason string) bool {
	return slices.ContainsFunc(r.problems, func(p problem) bool { return p.Place == at || p.reason == reason })
}
