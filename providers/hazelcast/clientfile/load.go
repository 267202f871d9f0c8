package clientfile

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/configtree"
)

const (
	rootName     = "hazelcast-client"
	memberRoot   = "hazelcast"
	failoverRoot = "hazelcast-client-failover"

	clientNamespace = "http://www.hazelcast.com/schema/client-config"
	memberNamespace = "http://www.hazelcast.com/schema/config"
	schemaOfThree   = "-config-3."

	maxFiles = 64
)

// load reads one file and those that it imports, and replaces its variables. at is where it is
// asked for.
func (r *reader) load(path string, at configtree.Place) *node {
	if len(r.loaded) == maxFiles {
		r.AddAt(at, nil, "more than %d files are imported", maxFiles)
		return nil
	}
	r.loaded[filepath.Clean(path)] = true
	data, err := readFile(path)
	if err != nil {
		r.AddAt(at, nil, "the file %s %v", filepath.Base(path), err)
		return nil
	}
	root := r.parse(path, data)
	if root == nil {
		return nil
	}
	r.replace(root)
	r.imports(root)
	return root
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		var cause *os.PathError
		if errors.As(err, &cause) {
			err = cause.Err // without the path
		}
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read from
	data, err := io.ReadAll(io.LimitReader(f, configtree.MaxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	return data, nil
}

func isYAML(file string) bool { return !strings.HasSuffix(strings.ToLower(file), ".xml") }

// parse makes a tree of one file, whose root has the name of the root element.
func (r *reader) parse(path string, data []byte) *node {
	switch strings.ToLower(filepath.Ext(path)) {
	case ".xml", ".yaml", ".yml":
	default:
		r.AddAt(configtree.Place{File: path}, nil, "a client's configuration file ends in .xml, .yaml or .yml")
		return nil
	}
	before := r.Any()
	root := r.Parse(path, data)
	switch {
	case root == nil && !before && r.Any():
		return nil
	case root == nil:
		r.AddAt(configtree.Place{File: path}, nil, "there is nothing in the file")
		return nil
	}
	if isYAML(path) {
		root = r.yamlRoot(root)
	} else {
		r.namespaces(root, root.Space)
	}
	switch root.Name {
	case rootName, memberRoot:
		return root
	case failoverRoot:
		r.Add(root, "failover files are for Hazelcast Enterprise; name one of the client files in it")
	default:
		r.Add(root, "the root is %s, not %s", configtree.ShortName(root.Name), rootName)
	}
	return nil
}

// yamlRoot finds what is under the name of the root, which a client's file may leave out.
func (r *reader) yamlRoot(document *node) *node {
	for _, name := range []string{rootName, memberRoot, failoverRoot} {
		root := document.Find(name)
		if root == nil {
			continue
		}
		for _, other := range document.Inner {
			switch other.Name {
			case name:
			case rootName, memberRoot, failoverRoot:
				r.Add(other, "is a second root; a file has one")
			default:
				r.notice(other, "is ignored: it is outside of %s", name)
			}
		}
		root.Parent = nil
		if root.Kind == configtree.Empty {
			root.Kind = configtree.Group
		}
		return root
	}
	document.Name = rootName
	return document
}

// namespaces checks that an XML document has one, the right one.
func (r *reader) namespaces(n *node, space string) {
	want := map[string]string{rootName: clientNamespace, memberRoot: memberNamespace}[n.Name]
	if n.Parent == nil && want != "" && space != want {
		r.Add(n, "%s must be in the namespace %s", n.Name, want)
	} else if n.Space != space {
		r.Add(n, "belongs to a namespace that is not known here")
	}
	inner := n.Inner[:0]
	for _, c := range n.Inner {
		switch {
		case c.Attribute && c.Space == configtree.InstanceNamespace:
			r.old = r.old || strings.Contains(c.Text, schemaOfThree)
			continue
		case c.Attribute && c.Space != "":
			r.Add(c, "belongs to a namespace that is not known here")
			continue
		case !c.Attribute:
			r.namespaces(c, space)
		}
		inner = append(inner, c)
	}
	n.Inner = inner
}

// imports puts what imported files say in the place of the imports.
func (r *reader) imports(root *node) {
	var own []*node
	var imported []*node
	for _, child := range root.Inner {
		if child.Name != "import" {
			own = append(own, child)
			continue
		}
		resource := child
		if c := child.Find("resource"); c != nil {
			resource = c
		} else if isYAML(child.File) && !child.Listed {
			r.Add(child, "must be a list")
			continue
		}
		other := r.imported(resource, root.Name)
		if other == nil {
			continue
		}
		if isYAML(root.File) {
			imported = append(imported, other)
			continue
		}
		for _, c := range other.Inner {
			c.Parent = root
			own = append(own, c)
		}
	}
	root.Inner = own
	for _, other := range imported {
		r.merge(root, other)
	}
}

// imported reads an imported file.
func (r *reader) imported(resource *node, root string) *node {
	name := strings.TrimPrefix(resource.Text, "file:")
	switch {
	case resource.Kind == configtree.Broken:
		return nil
	case name == "":
		r.Add(resource, "names no resource")
		return nil
	case strings.Contains(name, "://") || strings.HasPrefix(name, "classpath:"):
		r.Add(resource, "only files can be imported")
		return nil
	}
	path := relative(resource, name)
	if r.loaded[filepath.Clean(path)] {
		r.Add(resource, "the file is imported twice, or imports itself")
		return nil
	}
	other := r.load(path, resource.Place)
	if other != nil && other.Name != root {
		r.Add(other, "the file is imported by one of %s, and must be one, too", root)
		return nil
	}
	return other
}

// relative is the path that a text names, relative to the file in which it stands.
func relative(n *node, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(filepath.Dir(n.File), name)
}

// merge adds what an imported YAML file says: lists are joined, and what is said twice must be the
// same. Every node keeps its place.
func (r *reader) merge(to, imported *node) {
	for _, c := range imported.Inner {
		own := to.Find(c.Name)
		switch {
		case own == nil || own.Listed && c.Listed:
			c.Parent = to
			to.Inner = append(to.Inner, c)
		case own.Kind == configtree.Group && c.Kind == configtree.Group && !own.Listed && !c.Listed:
			r.merge(own, c)
		case own.Kind == configtree.Broken || c.Kind == configtree.Broken:
		case own.Kind != c.Kind || own.Listed != c.Listed || own.Text != c.Text:
			r.Add(c, "is said otherwise in %s", own.Place)
		}
	}
}
