package configfile

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// parseYAML makes a tree of a document. Values are never constructed from the YAML nodes,
// so aliases cost nothing; they are refused all the same.
func (r *report) parseYAML(data []byte) *node {
	loader, err := yaml.NewLoader(bytes.NewReader(data))
	if err != nil {
		r.add(pos{}, nil, "%s", err)
		return nil
	}
	var document, second yaml.Node
	err = loader.Load(&document)
	switch {
	case errors.Is(err, io.EOF):
		r.add(pos{}, nil, "the document is empty; it needs a cacheManager")
		return nil
	case err != nil:
		r.yamlProblem(data, err)
		return nil
	}
	switch err := loader.Load(&second); {
	case err == nil:
		r.add(pos{second.Line, second.Column}, nil, "there is a second document; a file has one")
		return nil
	case !errors.Is(err, io.EOF):
		r.yamlProblem(data, err)
		return nil
	}
	root := &node{pos: pos{1, 1}, name: rootName, kind: group}
	content := document.Content[0]
	if content.Kind != yaml.MappingNode {
		r.add(pos{content.Line, content.Column}, nil, "the document must have keys, such as cacheManager")
		return nil
	}
	r.fill(root, content, 1)
	return root
}

// fill gives n what y holds.
func (r *report) fill(n *node, y *yaml.Node, depth int) {
	at := pos{y.Line, y.Column}
	n.kind = broken
	switch {
	case depth > maxDepth:
		r.add(at, n, "values are nested deeper than %d", maxDepth)
	case y.Kind == yaml.AliasNode:
		r.add(at, n, "aliases are not allowed; write the value out, or quote a text that begins with *")
	case y.Style&yaml.TaggedStyle != 0:
		r.add(at, n, "tags are not allowed; quote a text that begins with !")
	case y.Kind == yaml.ScalarNode && y.ShortTag() == "!!null":
		n.kind = empty
	case y.Kind == yaml.ScalarNode:
		n.kind, n.text = scalar, y.Value
	case y.Kind == yaml.SequenceNode:
		r.add(at, n, "a list within a list is not allowed")
	case y.Kind == yaml.MappingNode:
		n.kind = group
		r.fillGroup(n, y, depth)
	}
}

func (r *report) fillGroup(n *node, y *yaml.Node, depth int) {
	lines := make(map[string]int)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		at := pos{key.Line, key.Column}
		if key.Kind != yaml.ScalarNode || key.Style&yaml.TaggedStyle != 0 {
			r.add(at, n, "keys must be names")
			continue
		}
		if line, ok := lines[key.Value]; ok {
			r.add(at, n, "%q is given twice; first in line %d", shortName(key.Value), line)
			continue
		}
		lines[key.Value] = at.line
		if value.Kind != yaml.SequenceNode || value.Style&yaml.TaggedStyle != 0 {
			r.fill(r.grow(n, key.Value, at), value, depth+1)
			continue
		}
		for _, entry := range value.Content {
			c := r.grow(n, key.Value, pos{entry.Line, entry.Column})
			c.listed = true
			r.fill(c, entry, depth+1)
		}
	}
}

// yamlProblem reports what the loader says. It may not show what could be a piece of a
// value.
func (r *report) yamlProblem(data []byte, err error) {
	var load *yaml.LoadError
	if !errors.As(err, &load) {
		r.add(pos{}, nil, "%s", strings.TrimPrefix(err.Error(), "yaml: "))
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
	r.add(pos{load.Mark.Line, load.Mark.Column}, nil, "%s", text)
}

func indentedByTab(data []byte, line int) bool {
	for range line - 1 {
		_, data, _ = bytes.Cut(data, []byte("\n"))
	}
	return bytes.HasPrefix(bytes.TrimLeft(data, " "), []byte("\t"))
}
