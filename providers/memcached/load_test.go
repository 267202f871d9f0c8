package memcached_test

import (
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// TestSmallAndEvictingServersAreTold: when the provider is opened, and in its health.
func TestSmallAndEvictingServersAreTold(t *testing.T) {
	small, large := servertest.Memcached(t, "-m", "8"), servertest.Memcached(t)
	flood(t, small.Addr, 20_000, 1000)
	var log logtest.Log
	p := connect(t, memcached.Options{Servers: addrs(small, large), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	for _, line := range []string{"little memory", "evicts what is not dead yet"} {
		if n := strings.Count(log.String(), line); n != 1 {
			t.Errorf("%q is told %d times, want once:\n%s", line, n, log.String())
		}
	}
	if strings.Contains(log.String(), large.Addr) {
		t.Errorf("something is said of a server that is in order:\n%s", log.String())
	}
	for _, s := range p.Health().Servers {
		if want := s.Name == small.Addr; s.Memory == 0 || want != (s.Evictions > 0) || want != (s.Used > 1<<20) {
			t.Errorf("%+v", s)
		}
	}
}

// TestEvictionsThatBeginLaterAreTold: a server that was in order when the provider was opened, and has become too small since.
func TestEvictionsThatBeginLaterAreTold(t *testing.T) {
	server := servertest.Memcached(t, "-m", "8")
	var log logtest.Log
	p := connect(t, memcached.Options{Servers: addrs(server), Logger: slog.New(slog.NewTextHandler(&log, nil))})
	const line = "evicts what is not dead yet"
	if said := log.String(); strings.Contains(said, line) || p.Health().Servers[0].Evictions > 0 {
		t.Fatalf("before anything was stored it is said: %s", said)
	}
	flood(t, server.Addr, 20_000, 1000)
	eventually(t, "it is said", func() bool { return strings.Contains(log.String(), line) })
	if p.Health().Servers[0].Evictions == 0 {
		t.Errorf("its health says %+v", p.Health().Servers[0])
	}
}

// TestSessionSizes measures the table of docs/operations.md.
func TestSessionSizes(t *testing.T) {
	for _, test := range []struct {
		do          string
		item, chunk int
	}{{"store=50", 251, 304}, {"store=500", 702, 752}, {"store=2000", 2202, 2320}, {"logout", 186, 192}, {"renew", 217, 240}} {
		server := servertest.Memcached(t)
		handler := sessionsOn(t, httpsession.Options{}, server.Addr)
		const n = 100
		visitors := make([]visitor, n)
		all := func(do string) {
			for i := range visitors {
				if status, _ := visitors[i].visit(do); status != http.StatusOK {
					t.Fatal(status)
				}
			}
		}
		for i := range visitors {
			visitors[i].handler = handler
		}
		before := stats(t, server.Addr)("bytes")
		switch test.do {
		case "logout":
			all("store=5000")
		case "renew":
			all("store=5000")
			before = stats(t, server.Addr)("bytes") // the session goes on, beside its tombstone
		}
		all(test.do)
		item := (stats(t, server.Addr)("bytes") - before) / n
		chunk := chunkOf(t, server.Addr, n)
		t.Logf("%s: %d bytes, in a chunk of %d; %d in 1 GiB", test.do, item, chunk, 1<<20/chunk<<10)
		if item > test.item || item < test.item-10 || chunk != test.chunk {
			t.Errorf("%s: %d bytes, in a chunk of %d; docs/operations.md says %d and %d", test.do, item, chunk, test.item, test.chunk)
		}
	}
}

// chunkOf returns the size of the smallest chunks of which n are used, or more.
func chunkOf(t *testing.T, addr string, n int) (size int) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close() //nolint:errcheck // it was opened to ask
	if _, err := c.Write([]byte("stats slabs\r\nmn\r\n")); err != nil {
		t.Fatal(err)
	}
	b := make([]byte, 1<<16)
	for filled := 0; ; {
		got, err := c.Read(b[filled:])
		if err != nil {
			t.Fatal(err)
		}
		if filled += got; strings.HasSuffix(string(b[:filled]), "MN\r\n") {
			b = b[:filled]
			break
		}
	}
	sizes := map[string]int{}
	for line := range strings.Lines(string(b)) {
		var name string
		var value int
		if k, err := fmt.Sscanf(line, "STAT %s %d", &name, &value); k != 2 || err != nil {
			continue
		}
		class, what, _ := strings.Cut(name, ":")
		switch {
		case what == "chunk_size":
			sizes[class] = value
		case what == "used_chunks" && value >= n && size == 0:
			size = sizes[class]
		}
	}
	return size
}
