// Package clientfile reads the configuration file of a Java Hazelcast client,
// hazelcast-client.xml or hazelcast-client.yaml of Hazelcast 3 to 5, and says what it
// means for a Go client. Of a member's file, hazelcast.xml or hazelcast.yaml, it takes the
// cluster's name and the addresses of the members.
//
// It is as strict as the Java client: names that the file format does not have,
// values of a wrong type, a missing namespace and unresolved variables are problems,
// and all problems are reported together, each with its position. What has a meaning
// for Java only is listed as a notice. What concerns security and cannot be
// honoured is a problem, never a notice.
//
// A test compares it with Hazelcast's own parser. It differs in this:
//
//   - Several addresses may stand in one text, with commas between them. Java takes the text for
//     one address, which no host has.
//   - Ports are looked at. Java finds out when it connects.
//   - Imported files are relative to the importing one. Java looks in the directory in which it
//     was started, and on its class path.
//   - Variables are those of the environment; one that is not set is a problem. Java takes its
//     system properties, and leaves an unknown ${name} in a text as it is.
//   - An empty cluster name or instance name, and words for true and false other than these two, are
//     problems. Java takes the words for false.
//   - YAML may leave the root hazelcast-client out, as up to Hazelcast 4. It has no aliases and no
//     tags, and a number in the place of a text is the text as it is written.
//   - XML is in UTF-8.
//   - connection-timeout, heartbeats and waiting times are positive.
//
// # Variables
//
// ${name}, or ${env.name}, is replaced by the environment variable of that name, or of the name
// that conventions make of it: ${hz.cluster-name} is HZ_CLUSTER_NAME. ${name:-text} has a
// default. Config replacers other than Java's PropertyReplacer are refused.
//
// The variables HZCLIENT_… of the environment stand above the file, as in Java since
// Hazelcast 5: HZCLIENT_CLUSTERNAME, or HZCLIENT_NETWORK_CLUSTERMEMBERS_0. Each underscore begins an inner name, and
// names are written without their hyphens. One that says something of network, or of
// connection-retry, stands for all that the file says there. One that the format does not have is a problem.
//
// # Imports
//
// An imported resource is a file, of either syntax. In XML its elements count as if they stood in the place
// of the import. In YAML the two are merged: lists are joined, and what is said twice must be the same.
// Classpath and URL resources are refused.
package clientfile

import (
	"crypto/tls"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A File is what a configuration file says. Fields that it says nothing about are zero.
type File struct {
	// ClusterName, or in files of Hazelcast 3 the name of the group, is that of the cluster.
	// InstanceName and Labels are how the members list this client.
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

	// User and Password are credentials.
	User, Password string
	// TLS is nil without TLS. It does not name the members.
	TLS *tls.Config
	// AnyHost accepts a member's certificate whatever host it is for.
	AnyHost bool

	// DialTimeout bounds one attempt to connect to one address.
	DialTimeout time.Duration
	// ConnectTimeout is Forever if it has no end.
	ConnectTimeout time.Duration
	// ConnectOnce asks for each address to be tried once.
	ConnectOnce       bool
	HeartbeatInterval time.Duration
	HeartbeatTimeout  time.Duration
	Retry             Retry

	// LittleEndian is the byte order that the members serialize with.
	LittleEndian bool

	// Statistics has the client send its own to the members, every StatisticsPeriod.
	Statistics       bool
	StatisticsPeriod time.Duration

	// Found are the values of the file, by the names of the provider's settings where there
	// is such a setting, and where they stand.
	Found []setting.Resolved
	// Notices are what an operator should know, with positions.
	Notices []string
}

// Forever is a time without an end.
const Forever = -time.Second

// Retry is the pace of attempts to connect.
type Retry struct {
	// The pause is Initial at first, and at most Max.
	Initial, Max time.Duration
	// Multiplier is what a pause is multiplied with for the next one, and Jitter the part by which it
	// may be longer or shorter.
	Multiplier, Jitter float64
}

// Overrides says what is known better than from the file. Such parts of a file are not
// interpreted, and a notice says so.
type Overrides struct {
	// Each names a part of a file.
	ClusterName, Servers, Credentials, TLS, ConnectTimeout bool
}

// A node is one of the tree.
type node = configtree.Node

// A reader collects what it finds in a file.
type reader struct {
	configtree.Report
	over    Overrides
	path    string
	file    *File
	loaded  map[string]bool
	old     bool // the file is for Hazelcast 3
	notices []remark
}

// A remark is a notice.
type remark struct {
	at   configtree.Place
	text string
}

// Read reads the file at path, XML or YAML by the end of its name. The error joins all
// problems, each a *setting.Problem with its place.
func Read(path string, over Overrides) (*File, error) {
	r := newReader(path, over)
	r.document()
	return r.result()
}

func newReader(path string, over Overrides) *reader {
	return &reader{over: over, path: path, file: &File{}, loaded: make(map[string]bool)}
}

// document reads the file and those that it imports.
func (r *reader) document() {
	root := r.load(r.path, configtree.Place{File: r.path})
	switch {
	case root == nil:
	case root.Name == memberRoot:
		r.member(root)
	default:
		r.root(root)
	}
}

// notice notes what an operator should know of a node.
func (r *reader) notice(n *node, format string, args ...any) {
	text := setting.Problemf(n.Path(), format, args...).Error()
	r.notices = append(r.notices, remark{n.Place, n.String() + ": " + text})
}

// found notes a value and its place.
func (r *reader) found(name string, n *node, value any) {
	r.file.Found = append(r.file.Found, setting.Resolved{Name: name, Value: value, From: from(n.Place)})
}

// from names a line.
func from(at configtree.Place) string {
	if at.Line == 0 {
		return at.File
	}
	return fmt.Sprintf("%s:%d", at.File, at.Line)
}

// result is the file with its notices, or the problems in the order of their places.
func (r *reader) result() (*File, error) {
	if r.Any() {
		var errs []error
		for _, p := range r.Problems(r.path) {
			errs = append(errs, p)
		}
		return nil, errors.Join(errs...)
	}
	slices.SortStableFunc(r.notices, func(a, b remark) int { return a.at.Compare(b.at, r.path) })
	for _, n := range r.notices {
		r.file.Notices = append(r.file.Notices, n.text)
	}
	return r.file, nil
}
