package hazelcast_test

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// notConnected expects Open to fail with an error of a kind, and returns it: in time, or at once if
// somebody has made a mistake.
func notConnected(t *testing.T, d time.Duration, opts hazelcast.Options, kind error) error {
	t.Helper()
	start := time.Now()
	_, err := hazelcast.Open(limited(t, d), opts)
	atOnce := kind == jcache.ErrMisconfigured //nolint:errorlint // of two sentinels
	if took := time.Since(start); took > d+slow {
		t.Errorf("took %v, the deadline was after %v", took, d)
	}
	for _, is := range []error{jcache.ErrUnavailable, jcache.ErrMisconfigured} {
		if errors.Is(err, is) != (is == kind) { //nolint:errorlint // of two sentinels
			t.Errorf("the error is %v, want %v alone", err, kind)
		}
	}
	if errors.Is(err, context.DeadlineExceeded) == atOnce || errors.Is(err, jcache.ErrIndeterminate) {
		t.Errorf("the error is %v", err)
	}
	if strings.Contains(err.Error(), "\n") {
		t.Errorf("the error has several lines: %v", err)
	}
	return err
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	must(t, err)
	defer silent.Close() //nolint:errcheck // it is the end of the test
	closed, err := servers.FreeAddr()
	must(t, err)
	for _, test := range []struct {
		name  string
		addrs []string
		want  string
	}{
		{"nobody listens", []string{closed}, "nobody is listening there (dial tcp " + closed + ": connect: connection refused)"},
		{"nobody answers", []string{silent.Addr().String()}, "who is listening there does not answer"},
		{"three in vain", []string{closed, silent.Addr().String(), "host.invalid:5701"}, "does not answer"},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := notConnected(t, 3*time.Second, hazelcast.Options{Servers: test.addrs, ClusterName: "shop", Password: "secret", User: "me"}, jcache.ErrUnavailable)
			for _, want := range append(test.addrs, `"shop"`, "another name", test.want) {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%v does not name %s", err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%v shows the password", err)
			}
		})
	}
}

// Who listens is told from nobody, and from who speaks something else.
func TestAnotherServiceThere(t *testing.T) {
	t.Parallel()
	web := httptest.NewServer(http.NotFoundHandler())
	defer web.Close()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	defer secure.Close()
	for _, test := range []struct {
		name, addr string
		tls        bool
		want       string
	}{
		{"another protocol", web.Listener.Addr().String(), false, "speaks another protocol"},
		{"memcached", servertest.Memcached(t).Addr, false, "speaks another protocol"},
		{"TLS, not configured", secure.Listener.Addr().String(), false, "expects TLS, which is not configured"},
		{"no TLS, but configured", web.Listener.Addr().String(), true, "does not speak TLS, which is configured"},
		{"a member without TLS", cluster(t).Addrs[0], true, "does not speak TLS, which is configured"},
	} {
		t.Run(test.name, func(t *testing.T) {
			opts := hazelcast.Options{Servers: []string{test.addr}, ClusterName: "shop"}
			if test.tls {
				opts.TLS = &tls.Config{MinVersion: tls.VersionTLS12}
			}
			if err := notConnected(t, slow, opts, jcache.ErrMisconfigured); !strings.Contains(err.Error(), test.want) || strings.Contains(err.Error(), "nobody is listening") {
				t.Errorf("got %v, want: %s", err, test.want)
			}
		})
	}
}

func TestWrongClusterName(t *testing.T) {
	t.Parallel()
	err := notConnected(t, slow, hazelcast.Options{Servers: cluster(t).Addrs, ClusterName: "shop"}, jcache.ErrMisconfigured)
	if !strings.Contains(err.Error(), `refuse this client: their cluster is not named "shop"`) {
		t.Error(err)
	}
}

// A mistake that does not mend itself ends opening, however patient it is.
func TestMistakesEndAtOnce(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		opts hazelcast.Options
		want string
	}{
		"name":         {hazelcast.Options{Servers: cluster(t).Addrs, ClusterName: "shop"}, "refuse this client"},
		"unknown host": {hazelcast.Options{Servers: []string{"host.invalid"}}, "there is no such host"},
		"protocol":     {hazelcast.Options{Servers: []string{servertest.Memcached(t).Addr}}, "speaks another protocol"},
	} {
		t.Run(name, func(t *testing.T) {
			test.opts.ConnectTimeout = -time.Second
			if err := notConnected(t, slow, test.opts, jcache.ErrMisconfigured); !strings.Contains(err.Error(), test.want) {
				t.Error(err)
			}
		})
	}
}

// TestWrongCredentials: members that ask for a user and a password are Hazelcast's Enterprise edition. So it is
// a member's own answer, with the status of wrong ones in the place of its own.
func TestWrongCredentials(t *testing.T) {
	t.Parallel()
	const status, wrong = 6 + 13, 1 // after the frame's head, type, correlation id and count of backups
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	member := cluster(t).Addrs[0]
	var running sync.WaitGroup
	t.Cleanup(running.Wait)
	t.Cleanup(func() { _ = l.Close() })
	running.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer client.Close() //nolint:errcheck // the test is about what was sent
				up, err := net.Dial("tcp", member)
				if err != nil {
					return
				}
				running.Go(func() { _, _ = io.Copy(up, client); _ = up.Close() })
				answer, err := readMessage(bufio.NewReader(up))
				if err == nil && len(answer.raw) > status {
					answer.raw[status] = wrong
					_, _ = client.Write(answer.raw)
				}
			})
		}
	})
	err = notConnected(t, slow, hazelcast.Options{Servers: []string{l.Addr().String()}, User: "ann", Password: "sesame", ConnectTimeout: -time.Second}, jcache.ErrMisconfigured)
	if text := err.Error(); !strings.Contains(text, "the user and password are wrong") || strings.Contains(text, "sesame") || strings.Contains(text, "ann") {
		t.Error(err)
	}
}

// Who gives up while members are greeted has made no mistake.
func TestOpeningIsGivenUp(t *testing.T) {
	t.Parallel()
	silent, err := net.Listen("tcp", "127.0.0.1:0") // accepts, and says nothing
	must(t, err)
	defer silent.Close() //nolint:errcheck // it is the end of the test
	ctx, cancel := context.WithCancel(limited(t, time.Minute))
	time.AfterFunc(100*time.Millisecond, cancel)
	_, err = hazelcast.Open(ctx, hazelcast.Options{Servers: []string{silent.Addr().String()}})
	if !errors.Is(err, context.Canceled) || errors.Is(err, jcache.ErrMisconfigured) {
		t.Error(err)
	}
}

// Failed openings leave nothing behind, neither goroutines nor memory: a client of the library's that
// does not start keeps 300 KB. It is not parallel, so that it counts its own.
func TestFailedOpeningsLeaveNothing(t *testing.T) {
	const most = 100 << 10 // for each
	live := func() int64 {
		var m runtime.MemStats
		runtime.GC()
		runtime.GC() // what has a finalizer goes with the second one
		runtime.ReadMemStats(&m)
		return int64(m.HeapAlloc)
	}
	closed, err := servers.FreeAddr()
	must(t, err)
	for name, test := range map[string]struct {
		openings int64
		opts     hazelcast.Options
	}{
		"nobody":  {260, hazelcast.Options{Servers: []string{closed}, ConnectTimeout: time.Millisecond}},
		"another": {20, hazelcast.Options{Servers: []string{servertest.Memcached(t).Addr}}},
		"refused": {20, hazelcast.Options{Servers: cluster(t).Addrs, ClusterName: "shop"}},
	} {
		before, heap := runtime.NumGoroutine(), live()
		for range test.openings {
			if _, err := hazelcast.Open(t.Context(), test.opts); err == nil {
				t.Fatal("it opened")
			}
		}
		eventually(t, "the goroutines have ended", func() bool { return runtime.NumGoroutine() <= before })
		grown := live() - heap
		if t.Logf("%s: after %d failed openings the heap is larger by %d KB", name, test.openings, grown>>10); grown > most*test.openings {
			t.Errorf("%s: that is more than %d KB for each", name, most>>10)
		}
	}
}

func TestConnectTimeoutBoundsOpen(t *testing.T) {
	t.Parallel()
	closed, err := servers.FreeAddr()
	must(t, err)
	start := time.Now()
	_, err = hazelcast.Open(context.Background(), hazelcast.Options{Servers: []string{closed}, ConnectTimeout: 300 * time.Millisecond})
	if !errors.Is(err, jcache.ErrUnavailable) || time.Since(start) > slow {
		t.Error(err, time.Since(start))
	}
}

func TestInvalidOptions(t *testing.T) {
	t.Parallel()
	for name, opts := range map[string]hazelcast.Options{
		"servers: is required, or a uri": {},
		"is less than 1ms":               {Servers: []string{"a"}, RequestTimeout: -1},
		"password: password needs user":  {Servers: []string{"a"}, Password: "secret"},
		`"a:b" is not an address`:        {Servers: []string{"a:b"}},
		`":5701" is not an address`:      {Servers: []string{":5701"}},
		`"a:70000" is not an address`:    {Servers: []string{"a:70000"}},
		`"::1:x" is not an address`:      {Servers: []string{"::1:x"}},
		"absent.xml cannot be read":      {ClientFile: "absent.xml"},
	} {
		_, err := hazelcast.Open(context.Background(), opts)
		if !errors.Is(err, jcache.ErrInvalid) || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "secret") {
			t.Errorf("got %v, want: %s", err, name)
		}
	}
}

// TestConfiguration opens the provider as a configuration file does.
func TestConfiguration(t *testing.T) {
	t.Parallel()
	ctx := limited(t, time.Minute)
	manager, err := jcache.Open(ctx, jcache.Config{Provider: "hazelcast", Settings: map[string]any{
		"servers": cluster(t).Addrs, "requestTimeout": 2 * time.Second,
	}})
	must(t, err)
	defer manager.Close(ctx) //nolint:errcheck // Close is tested elsewhere
	must(t, manager.Ping(ctx))
	c, err := jcache.CreateCache(ctx, manager, "TestConfiguration", jcache.Options[string, string]{})
	must(t, err)
	must(t, c.Put(ctx, "k", "v"))

	file := filepath.Join(t.TempDir(), "hazelcast-client.yaml")
	must(t, os.WriteFile(file, []byte("hazelcast-client:\n  cluster-name: shop\n  network:\n    cluster-members:\n      - "+
		strings.Join(cluster(t).Addrs, "\n      - ")+"\n"), 0o600))
	second, err := jcache.Open(ctx, jcache.Config{Provider: "hazelcast", URI: file, Settings: map[string]any{"clusterName": "dev"}})
	must(t, err)
	defer second.Close(ctx) //nolint:errcheck // Close is tested elsewhere
	same, err := jcache.CreateCache(ctx, second, "TestConfiguration", jcache.Options[string, string]{})
	must(t, err)
	if v, _, err := same.Get(ctx, "k"); v != "v" || err != nil {
		t.Error(v, err)
	}

	definition, err := jcache.Definition("hazelcast")
	must(t, err)
	values, err := driver.NewValues(definition.Settings, map[string]any{"clusterName": "dev"})
	must(t, err)
	notices, err := definition.Check(driver.Config{URI: file, Values: values})
	if want := file + ":2:3: cluster-name: is overridden by clusterName"; err != nil || len(notices) != 1 || notices[0] != want {
		t.Errorf("notices %q, error %v", notices, err)
	}
	must(t, os.WriteFile(file, []byte("hazelcast-client:\n  cluster-nam: shop\n"), 0o600))
	if _, err := definition.Check(driver.Config{URI: file, Values: values}); err == nil || err.Error() != file+":2:3: cluster-nam is not known here; did you mean cluster-name?" {
		t.Error(err)
	}
	authorities, err := driver.NewValues(driver.TLSSetting().Group, map[string]any{"caFile": "absent.pem"})
	must(t, err)
	for prefix, settings := range map[string]map[string]any{
		"servers: ":    {"servers": []string{"a:b"}},
		"password: ":   {"servers": []string{"a"}, "password": "secret"},
		"tls.caFile: ": {"servers": []string{"a"}, "tls": authorities},
	} {
		values, err := driver.NewValues(definition.Settings, settings)
		must(t, err)
		if _, err := definition.Check(driver.Config{Values: values}); err == nil || !strings.HasPrefix(err.Error(), prefix) {
			t.Errorf("got %v, want %s", err, prefix)
		}
	}
}
