package clientfile

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
)

// A node is an element or attribute of XML, or a value of YAML.
type node struct {
	pos
	name     string
	path     string // the names from the root's child to this node
	attr     bool   // an XML attribute
	list     bool   // a YAML sequence
	space    string // an XML element's namespace
	text     string
	kind     textKind
	children []*node
}

// textKind is what is known of the type of a node's text.
type textKind uint8

const (
	noText    textKind = iota
	anyText            // of XML, where all is text, or with variables
	quoted             // a YAML string
	boolean            // YAML true or false
	number             // a YAML number
	otherText          // anything else in YAML
	broken             // a problem has been reported
)

type pos struct {
	file      string
	line, col int
}

func (n *node) child(name string) *node {
	for _, c := range n.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// add makes a child.
func (n *node) add(name string, at pos) *node {
	c := &node{pos: at, name: name, path: strings.TrimPrefix(n.path+"/"+name, "/")}
	n.children = append(n.children, c)
	return c
}

func (p pos) String() string {
	if p.line == 0 {
		return p.file
	}
	return fmt.Sprintf("%s:%d:%d", p.file, p.line, p.col)
}

// A reader collects what it finds in a file.
type reader struct {
	over     Overrides
	file     *File
	files    int
	old      bool // the file is for Hazelcast 3
	problems []remark
	notices  []remark
}

// A remark is a problem or a notice.
type remark struct {
	at   pos
	text string
}

func (r *reader) problem(at pos, path, format string, args ...any) {
	r.problems = append(r.problems, remarkOn(at, path, format, args...))
}

func (r *reader) notice(n *node, format string, args ...any) {
	r.notices = append(r.notices, remarkOn(n.pos, n.path, format, args...))
}

func remarkOn(at pos, path, format string, args ...any) remark {
	text := at.String() + ": "
	if path != "" {
		text += path + ": "
	}
	text += fmt.Sprintf(format, args...)
	return remark{at, strings.Join(strings.FieldsFunc(text, unicode.IsControl), " ")} // one line, whatever is quoted
}

// result is the file with its notices, or the problems in the order of their positions.
func (r *reader) result() (*File, error) {
	for _, list := range [][]remark{r.problems, r.notices} {
		slices.SortStableFunc(list, func(a, b remark) int {
			return cmp.Or(cmp.Compare(a.at.file, b.at.file), cmp.Compare(a.at.line, b.at.line), cmp.Compare(a.at.col, b.at.col))
		})
	}
	var errs []error
	for _, p := range r.problems {
		errs = append(errs, errors.New(p.text))
	}
	for _, n := range r.notices {
		r.file.Notices = append(r.file.Notices, n.text)
	}
	if errs != nil {
		return nil, errors.Join(errs...)
	}
	return r.file, nil
}
