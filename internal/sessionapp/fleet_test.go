package sessionapp

import (
	"bufio"
	"context"
	"fmt"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A fleet is two servers, A and B, that share sessions.
type fleet struct {
	urls    [2]string
	killA   func() // as kill -9; nil where the servers are in this process
	startA  func() // again
	backend *backend
}

// A backend is a provider's server that tests can put in trouble; nil where there
// is none.
type backend struct {
	stop   func() // as kill -9
	start  func() // again
	keeps  bool   // what it had when it was stopped
	pause  func()
	resume func()
	// patience is how long a request may take while the backend is in trouble,
	// and recovery how long the servers may take to find it again.
	patience, recovery time.Duration
}

// memoryFleet is two servers of this process over one memory.
func memoryFleet(t *testing.T) *fleet {
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caches.Close(context.Background()) })
	sessions, err := httpsession.New(context.Background(), caches, httpsession.Options{Cookie: httpsession.Cookie{AllowHTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	f := &fleet{}
	for i, name := range []string{"A", "B"} {
		s := httptest.NewServer(sessions.Handler(newHandler(name)))
		t.Cleanup(s.Close)
		f.urls[i] = s.URL
	}
	return f
}

func memcachedFleet(t *testing.T) *fleet {
	return storeFleet(t, "memcached", servertest.Memcached(t), servers.MemcachedAt)
}

func redisFleet(t *testing.T) *fleet {
	return storeFleet(t, "redis", servertest.Redis(t), servers.RedisAt)
}

// storeFleet is two servers on a store of one process.
func storeFleet(t *testing.T, provider string, store *servers.Process, startAt func(context.Context, string, ...string) (*servers.Process, error)) *fleet {
	f := processFleet(t, provider, "servers: "+store.Addr)
	f.backend = &backend{
		stop: func() { store.Kill() },
		start: func() {
			var err error
			if store, err = startAt(t.Context(), store.Addr); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(store.Kill)
		},
		pause:  func() { must(t, store.Pause()) },
		resume: func() { must(t, store.Resume()) },
		// The drivers allow an operation 3.05 s: to wait for a clear, to connect, and for
		// the answer. The rest is the server's own.
		patience: 4 * time.Second, recovery: 5 * time.Second,
	}
	return f
}

// peerFleet is two servers that keep the sessions themselves. There is no backend that
// could be in trouble but they.
func peerFleet(t *testing.T) *fleet {
	var addrs []string
	for range 3 {
		addr, err := servers.FreeAddr()
		must(t, err)
		addrs = append(addrs, addr)
	}
	all := "[" + strings.Join(addrs, ", ") + "]"
	return processFleet(t, "peer", "listen: "+all, "join: "+all, "secret: known to both servers", "reads: local")
}

func hazelcastFleet(t *testing.T) *fleet {
	config := filepath.Join(t.TempDir(), "hazelcast-member.xml")
	must(t, os.WriteFile(config, []byte(hazelcast.MemberConfig), 0o600))
	cluster := servertest.Hazelcast(t, 2, config, "-Dhazelcast.partition.count=71")
	f := processFleet(t, "hazelcast", "servers: "+strings.Join(cluster.Addrs, ","))
	each := func(do func(*servers.Process) error) func() {
		return func() {
			for i := range cluster.Addrs {
				must(t, do(cluster.Member(i)))
			}
		}
	}
	f.backend = &backend{
		stop: each(func(p *servers.Process) error { p.Kill(); return nil }),
		start: func() {
			ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
			defer cancel()
			for i := range cluster.Addrs {
				must(t, cluster.Restart(i))
			}
			must(t, cluster.Await(ctx, len(cluster.Addrs)))
		},
		pause:    each((*servers.Process).Pause),
		resume:   each((*servers.Process).Resume),
		patience: 12 * time.Second, recovery: 40 * time.Second,
	}
	return f
}

// postgresFleet is two servers on one database, which keeps what it has when it is killed.
func postgresFleet(t *testing.T) *fleet { return databaseFleet(t, servertest.Postgres(t)) }

// mariadbFleet is likewise. The server is one process, which can be made to stand still. PostgreSQL has the same
// sessions, so it is for those who have time.
func mariadbFleet(t *testing.T) *fleet {
	if os.Getenv("KEEPSAKE_FAULTS") == "" {
		t.Skip("SKIPPED: it takes half a minute; make faults runs it")
	}
	server := servertest.MariaDB(t, "--innodb-flush-log-at-trx-commit=2") // to the system, at each commit
	f := databaseFleet(t, server)
	f.backend.pause = func() { must(t, server.Pause()) }
	f.backend.resume = func() { must(t, server.Resume()) }
	return f
}

func databaseFleet(t *testing.T, server *servers.Database) *fleet {
	f := processFleet(t, "sql", "url: "+server.URL, "createTables: true", "requestTimeout: 3s")
	f.backend = &backend{
		stop:  func() { server.Kill() },
		start: func() { must(t, server.Restart(t.Context())) },
		keeps: true,
		// Twice what the provider waits, and more, for a busy machine.
		patience: 10 * time.Second, recovery: 20 * time.Second,
	}
	return f
}

// sqliteFleet is two servers on one file. They are built without the race detector, which makes a
// client that is C translated to Go many times slower.
func sqliteFleet(t *testing.T) *fleet {
	file := filepath.Join(t.TempDir(), "sessions.db")
	return fleetOf(t, buildWithoutRace(t), "sql", "url: sqlite:"+file+"?_pragma=synchronous(off)", "createTables: true")
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// processFleet starts two server processes on a provider.
func processFleet(t *testing.T, provider string, properties ...string) *fleet {
	binary, err := os.Executable()
	must(t, err)
	return fleetOf(t, binary, provider, properties...)
}

// serves is set for a process that is a server.
const serves = "SESSIONAPP_SERVES=true"

// TestMain is also the program of the servers, which therefore need not be built: with the race
// detector that takes longer than most of the cases.
func TestMain(m *testing.M) {
	if slices.Contains(os.Environ(), serves) {
		Main()
		return
	}
	os.Exit(m.Run())
}

func buildWithoutRace(t *testing.T) (binary string) {
	binary = filepath.Join(t.TempDir(), "sessionapp")
	if out, err := exec.Command("go", "build", "-o", binary, "../../conformance/sessionapp").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	return binary
}

// fleetOf starts two server processes of a program.
func fleetOf(t *testing.T, binary, provider string, properties ...string) *fleet {
	config := filepath.Join(t.TempDir(), "sessions.yaml")
	must(t, os.WriteFile(config, fmt.Appendf(nil, "cacheManager:\n  provider: %s\n  properties:\n    %s\n", provider, strings.Join(properties, "\n    ")), 0o600))
	f := &fleet{}
	f.urls[0], f.killA = startServer(t, binary, "A", "127.0.0.1:0", config)
	f.urls[1], _ = startServer(t, binary, "B", "127.0.0.1:0", config)
	f.startA = func() {
		_, f.killA = startServer(t, binary, "A", strings.TrimPrefix(f.urls[0], "http://"), config)
	}
	return f
}

// startServer starts one server and waits until it listens.
func startServer(t *testing.T, binary, name, listen, config string) (url string, kill func()) {
	cmd := exec.Command(binary, "-listen", listen, "-name", name, "-config", config)
	cmd.Env = append(os.Environ(), serves)
	stdout, err := cmd.StdoutPipe()
	must(t, err)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	must(t, cmd.Start())
	done := false
	kill = func() {
		if done {
			return
		}
		done = true
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if strings.Contains(stderr.String(), "DATA RACE") {
			t.Errorf("server %s: %s", name, stderr.String())
		}
	}
	t.Cleanup(kill)
	line, err := bufio.NewReader(stdout).ReadString('\n')
	_, addr, ok := strings.Cut(strings.TrimSpace(line), "listens on ")
	if !ok {
		_ = cmd.Wait()
		t.Fatalf("server %s does not listen: %v\n%s", name, err, stderr.String())
	}
	return "http://" + addr, kill
}
