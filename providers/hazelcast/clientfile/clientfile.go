// Package clientfile reads the configuration file of a Java Hazelcast client,
// hazelcast-client.xml or hazelcast-client.yaml of Hazelcast 3 to 5, and says what it
// means for a Go client.
//
// It is as strict as the Java client: names that the file format does not have,
// values of a wrong type, a missing namespace and unresolved variables are problems,
// and all problems are reported together, each with its position. What has a meaning
// for Java only is listed as a notice. What concerns security and cannot be
// honoured is a problem, never a notice.
//
// # Variables
//
// ${name} is replaced by the environment variable of that name, or of the name that
// conventions make of it: ${hz.cluster-name} is HZ_CLUSTER_NAME. ${name:-text} has a
// default. The Java client takes them from its system properties, which only a Java
// program has. A name that is not set is a problem. Config replacers other than
// Java's PropertyReplacer are refused.
//
// # Imports
//
// An imported resource is a file, relative to the importing one unless its path is
// absolute; its elements count as if they stood in the place of the import. Classpath
// and URL resources are refused.
package clientfile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A File is what a configuration file says. Fields that it says nothing about are zero.
type File struct {
	ClusterName  string
	InstanceName string
	Labels       []string

	// Addresses are the members' addresses, with or without a port.
	Addresses []string
	// KeepOrder asks for the addresses to be tried in the order of the file.
	KeepOrder bool
	// SingleMember asks for one connection only.
	SingleMember bool
	// PublicIP asks for the members' public addresses.
	PublicIP bool
	// RandomBalancer spreads requests that any member can answer at random.
	RandomBalancer bool

	User, Password string
	// TLS is nil without TLS. It does not name the members.
	TLS *tls.Config
	// AnyHost accepts a member's certificate whatever host it is for.
	AnyHost bool

	DialTimeout       time.Duration
	ConnectTimeout    time.Duration
	HeartbeatInterval time.Duration
	HeartbeatTimeout  time.Duration
	Retry             Retry

	// LittleEndian is the byte order that the members serialize with.
	LittleEndian bool

	Statistics       bool
	StatisticsPeriod time.Duration

	// Found are the values of the file, by the names of the provider's settings where there
	// is such a setting, and where they stand.
	Found []setting.Resolved

	// Notices are what an operator should know, with positions.
	Notices []string
}

// Retry is the pace of attempts to connect.
type Retry struct {
	Initial, Max       time.Duration
	Multiplier, Jitter float64
}

// Overrides says what is known better than from the file. Such parts of a file are not
// interpreted, and a notice says so.
type Overrides struct {
	ClusterName, Servers, Credentials, TLS, ConnectTimeout bool
}

const (
	maxBytes = 1 << 20 // of one file
	maxDepth = 32      // of elements in elements, and of files in files
	maxFiles = 64
)

// CheckAddress accepts host:port and host.
func CheckAddress(addr string) error {
	host, port, err := net.SplitHostPort(addr)
	if err != nil { // no port
		if _, _, err := net.SplitHostPort(addr + ":5701"); err != nil {
			return fmt.Errorf("%q is not an address such as host:5701", addr)
		}
		return nil
	}
	if n, err := strconv.Atoi(port); host == "" || err != nil || n < 1 || n > 65535 {
		return fmt.Errorf("%q is not an address such as host:5701", addr)
	}
	return nil
}

// Read reads the file at path, XML or YAML by the end of its name. The error joins all
// problems; each reads file:line:column: path: reason.
func Read(path string, over Overrides) (*File, error) {
	r := &reader{over: over, file: &File{}}
	if root := r.load(path, pos{file: path}, nil); root != nil {
		r.root(root)
	}
	return r.result()
}

// load reads one file and those that it imports. at is where it is asked for, and above
// are the files that import it.
func (r *reader) load(path string, at pos, above []string) *node {
	if r.files++; r.files > maxFiles {
		r.problem(at, "", "more than %d files are imported", maxFiles)
		return nil
	}
	data, err := readFile(path)
	if err != nil {
		r.problem(at, "", "the file %s %v", filepath.Base(path), err)
		return nil
	}
	root := r.parse(path, data)
	if root != nil {
		r.splice(root, append(above, filepath.Clean(path)))
	}
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
	data, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return nil, fmt.Errorf("cannot be read: %w", err)
	}
	if len(data) > maxBytes {
		return nil, fmt.Errorf("has more than 1 MiB")
	}
	return data, nil
}

// parse makes a tree of one file, with its variables replaced.
func (r *reader) parse(path string, data []byte) *node {
	data = []byte(strings.TrimPrefix(string(data), "\ufeff"))
	var root *node
	switch strings.ToLower(filepath.Ext(path)) {
	case ".xml":
		root = r.parseXML(path, data)
	case ".yaml", ".yml":
		root = r.parseYAML(path, data)
	default:
		r.problem(pos{file: path}, "", "a client's configuration file ends in .xml, .yaml or .yml")
	}
	if root != nil {
		r.replace(root)
	}
	return root
}

// splice puts the children of imported files in the place of the imports.
func (r *reader) splice(root *node, above []string) {
	var children []*node
	for _, child := range root.children {
		if child.name != "import" {
			children = append(children, child)
			continue
		}
		for _, resource := range child.imports() {
			if imported := r.imported(resource, above); imported != nil {
				children = append(children, imported.children...)
			}
		}
	}
	root.children = children
}

// imports are the resources that an import element names: an attribute in XML, a list
// in YAML.
func (n *node) imports() []*node {
	if resource := n.child("resource"); resource != nil {
		return []*node{resource}
	}
	if len(n.children) > 0 {
		return n.children
	}
	return []*node{n}
}

func (r *reader) imported(resource *node, above []string) *node {
	name := strings.TrimPrefix(resource.text, "file:")
	switch {
	case name == "":
		r.problem(resource.pos, "import", "names no resource")
		return nil
	case strings.Contains(name, "://") || strings.HasPrefix(name, "classpath:"):
		r.problem(resource.pos, "import", "only files can be imported")
		return nil
	}
	if !filepath.IsAbs(name) {
		name = filepath.Join(filepath.Dir(resource.file), name)
	}
	for _, file := range above {
		if file == filepath.Clean(name) {
			r.problem(resource.pos, "import", "the file imports itself")
			return nil
		}
	}
	return r.load(name, resource.pos, above)
}
