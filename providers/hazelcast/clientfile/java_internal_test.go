package clientfile

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
)

// javaConfig is what testdata/java/DumpClient.java prints of a file.
type javaConfig struct {
	Error             string
	ClusterName       string
	InstanceName      string
	Labels            []string
	Addresses         []string
	SmartRouting      bool
	Routing           string
	ConnectionTimeout int64
	AttemptLimit      int64
	AttemptPeriod     int64
	SSL               bool `json:"ssl"`
	InitialBackoff    int64
	MaxBackoff        int64
	Multiplier        float64
	Jitter            float64
	ConnectTimeout    *int64
	Properties        map[string]string
	User, Password    string
	Balancer          string
	ByteOrder         string
	NativeOrder       bool
}

// javaReads has the parser of a version of Hazelcast read the files of a directory. With
// environment, it is that of this process that stands above the files.
func javaReads(t *testing.T, version, dir string, environment bool, files ...string) map[string]javaConfig {
	t.Helper()
	source, err := filepath.Abs("testdata/java/DumpClient.java")
	if err != nil {
		t.Fatal(err)
	}
	cmd, err := servers.JavaSource(t.Context(), version, []string{"-Doverride=" + strconv.FormatBool(environment)}, source, files...)
	servertest.Check(t, err)
	var problems bytes.Buffer
	cmd.Dir, cmd.Stderr = dir, &problems
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, problems.String())
	}
	results := make(map[string]javaConfig)
	lines := bufio.NewScanner(bytes.NewReader(out))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		text, ok := strings.CutPrefix(lines.Text(), "JSON ")
		if !ok {
			continue
		}
		var c javaConfig
		if err := json.Unmarshal([]byte(text), &c); err != nil {
			t.Fatalf("%v in %s", err, text)
		}
		results[files[len(results)]] = c
	}
	if len(results) != len(files) {
		t.Fatalf("%d results of %d files\n%s", len(results), len(files), problems.String())
	}
	return results
}

// reading reads a file, and what it says even if there are problems.
func reading(dir, name string) (*File, []string) {
	r := newReader(filepath.Join(dir, name), Overrides{})
	r.document()
	var problems []string
	for _, p := range r.Problems(r.path) {
		problems = append(problems, strings.ReplaceAll(p.Error(), dir+"/", ""))
	}
	return r.file, problems
}

// A meaning is what is compared. Where the file says nothing, both have a default of their own.
type meaning struct {
	ClusterName, InstanceName  string
	Labels, Addresses          []string
	SingleMember, KeepOrder    bool
	DialTimeout                int64
	ConnectTimeout             int64
	InitialBackoff, MaxBackoff int64
	Multiplier, Jitter         float64
	Heartbeat, HeartbeatLimit  string
	User, Password             string
	TLS, Random, LittleEndian  bool
}

func or[T comparable](value, standard T) T {
	var zero T
	if value == zero {
		return standard
	}
	return value
}

func millis(d time.Duration) int64 { return d.Milliseconds() }

func meaningOfOurs(f *File) meaning {
	connect := millis(f.ConnectTimeout)
	switch {
	case f.ConnectOnce:
		connect = 0
	case f.ConnectTimeout == 0 || f.ConnectTimeout == Forever:
		connect = -1 // Java's default
	}
	text := func(d time.Duration) string {
		if d == 0 {
			return ""
		}
		return strconv.FormatInt(millis(d), 10)
	}
	return meaning{
		ClusterName: or(f.ClusterName, "dev"), InstanceName: f.InstanceName,
		Labels: slices.Sorted(slices.Values(f.Labels)), Addresses: f.Addresses,
		SingleMember: f.SingleMember, KeepOrder: f.KeepOrder,
		DialTimeout: or(millis(f.DialTimeout), 5000), ConnectTimeout: connect,
		InitialBackoff: or(millis(f.Retry.Initial), 1000), MaxBackoff: or(millis(f.Retry.Max), 30000),
		Multiplier: or(f.Retry.Multiplier, 1.05), Jitter: f.Retry.Jitter,
		Heartbeat: text(f.HeartbeatInterval), HeartbeatLimit: text(f.HeartbeatTimeout),
		User: f.User, Password: f.Password, TLS: f.TLS != nil, Random: f.RandomBalancer, LittleEndian: f.LittleEndian,
	}
}

func meaningOfJavas(c javaConfig) meaning {
	var addresses []string
	for _, one := range c.Addresses {
		for addr := range strings.SplitSeq(one, ",") { // which Java does not: it is in the package's documentation
			if addr = strings.TrimSpace(addr); addr != "" {
				addresses = append(addresses, addr)
			}
		}
	}
	connect := int64(-1)
	if c.ConnectTimeout != nil {
		connect = *c.ConnectTimeout
	} else if c.AttemptLimit > 0 { // Hazelcast 3
		connect = c.AttemptLimit * c.AttemptPeriod
	}
	multiplier := c.Multiplier
	labels := c.Labels
	if len(labels) == 0 {
		labels = nil
	}
	return meaning{
		ClusterName: c.ClusterName, InstanceName: c.InstanceName, Labels: labels, Addresses: addresses,
		SingleMember: !c.SmartRouting || c.Routing == "SINGLE_MEMBER", KeepOrder: c.Properties["hazelcast.client.shuffle.member.list"] == "false",
		DialTimeout: c.ConnectionTimeout, ConnectTimeout: connect,
		InitialBackoff: or(c.InitialBackoff, 1000), MaxBackoff: or(c.MaxBackoff, 30000), Multiplier: multiplier, Jitter: c.Jitter,
		Heartbeat: c.Properties["hazelcast.client.heartbeat.interval"], HeartbeatLimit: c.Properties["hazelcast.client.heartbeat.timeout"],
		User: c.User, Password: c.Password, TLS: c.SSL, Random: c.Balancer == "RandomLB",
		LittleEndian: c.ByteOrder == "LITTLE_ENDIAN" || c.NativeOrder && binary.NativeEndian.Uint16([]byte{1, 0}) == 1,
	}
}

// agree compares what the two made of a file: both refuse it, or both say the same.
func agree(t *testing.T, name, text string, f *File, problems []string, java javaConfig) {
	t.Helper()
	switch {
	case java.Error != "" && problems == nil:
		t.Errorf("%s is read, but Java refuses it: %s\n%s", name, java.Error, text)
	case java.Error == "" && problems != nil:
		t.Errorf("%s is refused, but Java reads it: %s\n%s", name, strings.Join(problems, "\n"), text)
	case java.Error == "":
		if diff := cmp.Diff(meaningOfJavas(java), meaningOfOurs(f)); diff != "" {
			t.Errorf("%s (-java +ours):\n%s\n%s", name, diff, text)
		}
	}
}

func writeFiles(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
