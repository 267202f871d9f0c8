package configtree

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseYAML makes a tree of a document. Values are never constructed from the YAML nodes,
// so aliases cost nothing; they are refused all the same.
func (r *Report) parseYAML(file string, data []byte) *Node {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		r.AddAt(Place{File: file}, nil, "%s", err)
		return nil
	}
	var document, second yaml.Node
	err = loader.Load(&document)
	switch {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		r.yamlProblem(file, data, err)
		return nil
	}
	switch err := loader.Load(&second); {
	case err == nil:
		r.AddAt(Place{File: file, Line: second.Line, Column: second.Column}, nil, "there is a second document; a file has one")
		return nil
	case !errors.Is(err, io.EOF):
		r.yamlProblem(file, data, err)
		return nil
	}
	root := &Node{Place: Place{File: file, Line: 1, Column: 1}, Kind: Group}
	content := document.Content[0]
	if content.Kind != yaml.MappingNode {
		r.AddAt(Place{File: file, Line: content.Line, Column: content.Column}, nil, "the document must have keys, which are names with values")
		return nil
	}
	r.fill(root, content, 1)
	return root
}

// fill gives n what y holds.
func (r *Report) fill(n *Node, y *yaml.Node, depth int) {
	at := Place{File: n.File, Line: y.Line, Column: y.Column}
	n.Kind = Broken
	switch {
	case depth > MaxDepth:
		r.AddAt(at, n, "values are nested deeper than %d", MaxDepth)
	case y.Kind == yaml.AliasNode:
		r.AddAt(at, n, "aliases are not allowed; write the value out, or quote a text that begins with *")
	case y.Style&yaml.TaggedStyle != 0:
		r.AddAt(at, n, "tags are not allowed; quote a text that begins with !")
	case y.Kind == yaml.ScalarNode && y.ShortTag() == "!!null":
		n.Kind = Empty
	case y.Kind == yaml.ScalarNode:
		n.Kind, n.Text, n.Type = Scalar, y.Value, typeOf(y)
	case y.Kind == yaml.SequenceNode:
		r.AddAt(at, n, "a list within a list is not allowed")
	case y.Kind == yaml.MappingNode:
		n.Kind = Group
		r.fillGroup(n, y, depth)
	}
}

func typeOf(y *yaml.Node) Type {
	switch y.ShortTag() {
	case "!!str":
		return Text
	case "!!bool":
		return Bool
	case "!!int", "!!float":
		return Number
	default:
		return Other
	}
}

func (r *Report) fillGroup(n *Node, y *yaml.Node, depth int) {
	lines := make(map[string]int)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		at := Place{File: n.File, Line: key.Line, Column: key.Column}
		if key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 || key.ShortTag() == "!!merge" {
			r.AddAt(at, n, "keys must be names")
			continue
		}
		if line, ok := lines[key.Value]; ok {
			r.AddAt(at, n, "%q is given twice; first in line %d", ShortName(key.Value), line)
			continue
		}
		lines[key.Value] = at.Line
		if value.Kind != yaml.SequenceNode || value.Style&yaml.TaggedStyle != 0 {
			r.fill(r.add(n, key.Value, at.Line, at.Column), value, depth+1)
			continue
		}
		for _, entry := range value.Content {
			c := r.add(n, key.Value, entry.Line, entry.Column)
			c.Listed = true
			r.fill(c, entry, depth+1)
		}
	}
}

// yamlProblem reports what the loader says. It may not show what could be a piece of a
// value.
func (r *Report) yamlProblem(file string, data []byte, err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		r.AddAt(Place{File: file}, nil, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
		return
	}
	text := load.Message
	switch {
	case strings.HasPrefix(text, "unknown anchor"):
		text = "aliases are not allowed; quote a text that begins with *"
	case load.Stage == yaml.ResolverStage, strings.Contains(text, "tag"):
		text = "tags are not allowed; quote a text that begins with !"
	case strings.Contains(text, "incompatible"):
		text = "only YAML 1.1 can be announced; leave the line out"
	case strings.Contains(text, "max depth"):
		text = "values are nested too deep"
	case strings.Contains(text, "expected key"):
		text += "; the line above or its indentation may be wrong"
	case strings.Contains(text, "cannot start any token"):
		text = "a text that begins with such a character must be quoted"
		if indentedByTab(data, load.Mark.Line) {
			text = "a tab cannot indent a line; use spaces"
		}
	}
	r.AddAt(Place{File: file, Line: load.Mark.Line, Column: load.Mark.Column}, nil, "%s", text)
}

func indentedByTab(data []byte, line int) bool {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return bytes.HasPrefix(bytes.TrimLeft(data, " "), []byte("\t"))
}
