package hazelcast_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// The tests that break nothing share one cluster of two members. It has the recommended
// configuration, and maps of other prefixes that are configured otherwise.
const otherMaps = `
  <map name="short.*"><time-to-live-seconds>3</time-to-live-seconds></map>
  <map name="none.*"/>
  <map name="idle.*"><max-idle-seconds>60</max-idle-seconds></map>
  <map name="object.*"><in-memory-format>OBJECT</in-memory-format></map>
</hazelcast>`

// oddMaps are maps that the last member of a cluster has another configuration for. The others
// know them by the name of all maps.
const oddMaps = `
  <map name="odd.ttl.*"><time-to-live-seconds>3</time-to-live-seconds></map>
  <map name="odd.idle.*"><max-idle-seconds>60</max-idle-seconds></map>
  <map name="odd.object.*"><in-memory-format>OBJECT</in-memory-format></map>
</hazelcast>`

// startMembers starts a cluster of n members of the recommended configuration with more maps,
// of which the last one has the odd maps.
func startMembers(ctx context.Context, dir string, n int, maps string) (*servers.HazelcastCluster, error) {
	configs := []string{filepath.Join(dir, "hazelcast.xml"), filepath.Join(dir, "odd.xml")}
	text := strings.Replace(hazelcast.MemberConfig, "</hazelcast>", maps, 1)
	for i, text := range []string{text, strings.Replace(text, "</hazelcast>", oddMaps, 1)} {
		if err := os.WriteFile(configs[i], []byte(text), 0o600); err != nil {
			return nil, err
		}
	}
	addrs := make([]string, n)
	for i := range addrs {
		var err error
		if addrs[i], err = servers.FreeAddr(); err != nil {
			return nil, err
		}
	}
	command := func(i int, program string, args ...string) *exec.Cmd {
		if i == n-1 {
			for a, arg := range args {
				args[a] = strings.Replace(arg, configs[0], configs[1], 1)
			}
		}
		return exec.Command(program, args...)
	}
	return servers.HazelcastWith(ctx, command, addrs, configs[0], "-Dhazelcast.partition.count=71")
}

var shared struct {
	once    sync.Once
	dir     string
	cluster *servers.HazelcastCluster
	err     error
}

func TestMain(m *testing.M) {
	code := m.Run()
	if shared.cluster != nil {
		shared.cluster.Kill()
	}
	_ = os.RemoveAll(shared.dir) // it is temporary anyway
	os.Exit(code)
}

func startShared() error {
	var err error
	if shared.dir, err = os.MkdirTemp("", "keepsake-hazelcast"); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), 90*time.Second)
	defer cancel()
	shared.cluster, err = startMembers(ctx, shared.dir, 2, otherMaps)
	return err
}

// cluster returns the shared cluster.
func cluster(t testing.TB) *servers.HazelcastCluster {
	t.Helper()
	shared.once.Do(func() { shared.err = startShared() })
	installed(t, shared.err)
	return shared.cluster
}

// startCluster starts a cluster of the test's own, for what breaks it.
func startCluster(t testing.TB, n int) *servers.HazelcastCluster {
	t.Helper()
	c, err := startMembers(limited(t, 90*time.Second), t.TempDir(), n, "</hazelcast>")
	installed(t, err)
	t.Cleanup(c.Kill)
	return c
}

func installed(t testing.TB, err error) {
	t.Helper()
	switch {
	case errors.Is(err, servers.ErrNotInstalled) && os.Getenv("CI") != "true":
		t.Skipf("SKIPPED: %v", err)
	case err != nil:
		t.Fatal(err)
	}
}

// connect connects to the shared cluster unless opts name another one.
func connect(t testing.TB, opts hazelcast.Options) *hazelcast.Provider {
	t.Helper()
	if opts.Servers == nil && opts.ClientFile == "" {
		opts.Servers = cluster(t).Addrs
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	p, err := hazelcast.Connect(limited(t, time.Minute), opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(limited(t, 20*time.Second)); err != nil {
			t.Error(err)
		}
	})
	return p
}

// openCache opens a cache of the test's own.
func openCache(t testing.TB, p *hazelcast.Provider, opts driver.CacheOptions) driver.Cache {
	t.Helper()
	name := strings.NewReplacer("/", "_", "#", "_").Replace(t.Name()) + fmt.Sprintf("_%x", rand.Uint32())
	c, err := p.OpenCache(limited(t, time.Minute), name, opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// limited returns a context that ends with the test, and after d.
func limited(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// record makes a record, which begins with an identifier of its own.
func record(text string) []byte {
	return append(binary.LittleEndian.AppendUint64(nil, rand.Uint64()), text...)
}

func text(r []byte) string { return string(r[driver.WriteIDBytes:]) }

func in(d time.Duration) time.Time { return time.Now().Add(d) }

// slow is longer than what takes a moment takes on a machine that is busy with other things, and no more
// than what waits for something in vain.
const slow = 30 * time.Second

// patience is how long tests wait for what happens within seconds on a machine that has time.
const patience = 2 * time.Minute

// eventually polls until ok reports true.
func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	over := time.After(patience)
	for !ok() {
		select {
		case <-over:
			t.Fatalf("%s: not within %v", what, patience)
		case <-tick.C:
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
