package memcached_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// freeAddr returns an address where nobody listens.
func freeAddr(t *testing.T) string {
	t.Helper()
	addr, err := servers.FreeAddr()
	if err != nil {
		t.Fatal(err)
	}
	return addr
}

// refuses checks that Open fails with an error that says what is wanted, and nothing
// that is secret.
func refuses(t *testing.T, opts memcached.Options, want ...string) error {
	t.Helper()
	m, err := memcached.Open(t.Context(), patient(opts))
	if err == nil {
		_ = m.Close(t.Context())
		t.Fatalf("Open succeeded, want an error with %q", want)
	}
	for _, w := range want {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("Open: %q, want it to contain %q", err, w)
		}
	}
	if opts.Password != "" && strings.Contains(err.Error(), opts.Password) {
		t.Errorf("Open: %q repeats the password", err)
	}
	return err
}

// misconfigured is refuses for what will not pass by itself.
func misconfigured(t *testing.T, opts memcached.Options, want ...string) {
	t.Helper()
	if err := refuses(t, opts, want...); !errors.Is(err, jcache.ErrMisconfigured) || errors.Is(err, jcache.ErrUnavailable) {
		t.Errorf("Open: %v, want ErrMisconfigured", err)
	}
}

func TestOpenInvalid(t *testing.T) {
	one := []string{"a"}
	for _, test := range []struct {
		opts memcached.Options
		want string
	}{
		{memcached.Options{}, "servers: is required"},
		{memcached.Options{Servers: []string{""}}, "not host:port"},
		{memcached.Options{Servers: []string{"a:b:c"}}, "not host:port"},
		{memcached.Options{Servers: []string{"a:0"}}, "no port"},
		{memcached.Options{Servers: []string{"a:port"}}, "no port"},
		{memcached.Options{Servers: []string{"a:70000"}}, "no port"},
		{memcached.Options{Servers: []string{"/run/memcached.sock"}}, "not host:port"},
		{memcached.Options{Servers: []string{"a b:11211"}}, "not host:port"},
		{memcached.Options{Servers: []string{"a:11211", "a"}}, "a:11211 is given twice"},
		{memcached.Options{Servers: one, Prefix: "a:b"}, "prefix"},
		{memcached.Options{Servers: one, Prefix: strings.Repeat("p", 65)}, "prefix"},
		{memcached.Options{Servers: one, RequestTimeout: -1}, "requestTimeout"},
		{memcached.Options{Servers: one, ConnectTimeout: -1}, "connectTimeout"},
		{memcached.Options{Servers: one, MaxIdleConnections: -1}, "maxIdleConnections"},
		{memcached.Options{Servers: one, User: "app"}, "password is missing"},
		{memcached.Options{Servers: one, Password: "secret"}, "user is missing"},
		{memcached.Options{Servers: one, User: "app", Password: "se cret"}, "white space"},
	} {
		if err := refuses(t, test.opts, test.want); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("Open(%q): %v, want ErrInvalid", test.want, err)
		}
	}
	_ = refuses(t, memcached.Options{Servers: []string{"", "a:0"}, Prefix: ":"}, "host:port", "no port", "prefix") // all at once
}

func TestOpenNoServer(t *testing.T) {
	a, b := freeAddr(t), freeAddr(t)
	err := refuses(t, memcached.Options{Servers: []string{a, b}}, a, b, "refused")
	if !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Open: %v, want ErrUnavailable", err)
	}
}

// TestOpenSilentServer: somebody accepts connections and says nothing.
func TestOpenSilentServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // nothing was written
	start := time.Now()
	_ = refuses(t, memcached.Options{Servers: []string{l.Addr().String()}, ConnectTimeout: 200 * time.Millisecond}, l.Addr().String(), "no connection within 200ms")
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := memcached.Open(ctx, memcached.Options{Servers: []string{l.Addr().String()}, ConnectTimeout: time.Hour}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Open = %v, want the context's error", err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}

func TestOpenSomeServersDown(t *testing.T) {
	server, down := servertest.Memcached(t), freeAddr(t)
	p := connect(t, memcached.Options{Servers: []string{server.Addr, down}})
	for _, s := range p.Health().Servers {
		if (s.Name == down) != (s.Down != "") {
			t.Errorf("its health says %+v", s)
		}
	}
	if err := p.Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) || !strings.Contains(err.Error(), down) {
		t.Errorf("Ping = %v, want ErrUnavailable that names the server", err)
	}
	restart(t, down)
	if err := p.Ping(t.Context()); err != nil {
		t.Errorf("Ping with all servers up = %v", err)
	}
}

func TestOpenByName(t *testing.T) {
	_, port, err := net.SplitHostPort(servertest.Memcached(t).Addr)
	if err != nil {
		t.Fatal(err)
	}
	c := openCache(t, connect(t, memcached.Options{Servers: []string{net.JoinHostPort("localhost", port)}}), "name")
	put(t, c, "k", "x")
	want(t, c, "k", "x")
}

func TestOpenUnusableServer(t *testing.T) {
	t.Run("without cas", func(t *testing.T) {
		misconfigured(t, memcached.Options{Servers: addrs(servertest.Memcached(t, "-C"), servertest.Memcached(t))}, "-C")
	})
	t.Run("not memcached", func(t *testing.T) {
		web := httptest.NewServer(http.NotFoundHandler())
		defer web.Close()
		misconfigured(t, memcached.Options{Servers: []string{web.Listener.Addr().String()}}, "does not speak memcached")
	})
	t.Run("without meta commands", func(t *testing.T) {
		proxy := newProxy(t, servertest.Memcached(t).Addr)
		proxy.only("md ", "ERROR\r\n")
		misconfigured(t, memcached.Options{Servers: []string{proxy.addr}}, "since 1.6")
	})
}

func TestPassword(t *testing.T) {
	file := filepath.Join(t.TempDir(), "passwords")
	if err := os.WriteFile(file, []byte("app:correct-horse\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	letServersIn(t, file)
	server := servertest.Memcached(t, "-Y", file)
	opts := memcached.Options{Servers: addrs(server), User: "app", Password: "correct-horse"}
	c := openCache(t, connect(t, opts), "auth")
	put(t, c, "k", "x")
	want(t, c, "k", "x")
	if _, err := client(c).Get("keepsake:auth:k"); err != nil {
		t.Errorf("the client behind the cache: %v", err)
	}

	misconfigured(t, memcached.Options{Servers: addrs(server)}, "demands a user and a password")
	opts.Password = "wrong-horse"
	misconfigured(t, opts, "refuses the user or the password")
	opts.User = "nobody"
	misconfigured(t, opts, "refuses the user or the password")

	// A server that demands none would store the password under "auth".
	open := servertest.Memcached(t)
	opts.Servers = addrs(open)
	misconfigured(t, opts, "does not demand the password")
	if n := stats(t, open.Addr)("cmd_set"); n != 0 {
		t.Errorf("the password was sent to a server that did not ask for it")
	}
}

// letServersIn makes a file of t.TempDir readable for servers that have dropped
// their privileges.
func letServersIn(t *testing.T, file string) {
	t.Helper()
	for _, dir := range []string{filepath.Dir(file), filepath.Dir(filepath.Dir(file))} {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestConfig(t *testing.T) {
	server := servertest.Memcached(t)
	ctx := t.Context()
	m, err := jcache.Open(ctx, jcache.Config{Provider: "memcached", Settings: map[string]any{
		"servers": []string{server.Addr}, "prefix": "shop",
		"requestTimeout": patience, "connectTimeout": patience, "maxIdleConnections": int64(4),
	}})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(ctx); err != nil {
			t.Error(err)
		}
	}()
	c, err := jcache.CreateCache(ctx, m, "carts", jcache.Options[string, int]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Put(ctx, "alice", 42); err != nil {
		t.Fatal(err)
	}
	if n, ok, err := c.Get(ctx, "alice"); n != 42 || !ok || err != nil {
		t.Errorf("Get = %v, %v, %v", n, ok, err)
	}
	if err := c.Clear(ctx); err != nil {
		t.Errorf("Clear without a deadline: %v", err)
	}
	if _, ok, err := c.Get(ctx, "alice"); ok || err != nil {
		t.Errorf("Get after Clear = %v, %v", ok, err)
	}
	for _, err := range c.All(ctx) {
		if !errors.Is(err, errors.ErrUnsupported) {
			t.Errorf("All: %v, want ErrUnsupported", err)
		}
	}
}

func TestConfigCheck(t *testing.T) {
	d, err := jcache.Definition("memcached")
	if err != nil {
		t.Fatal(err)
	}
	check := func(settings map[string]any) ([]string, error) {
		values, err := driver.NewValues(d.Settings, settings)
		if err != nil {
			return nil, err
		}
		return d.Check(driver.Config{Values: values})
	}
	servers := []string{"a"}
	if notices, err := check(map[string]any{"servers": servers}); err != nil || len(notices) > 0 {
		t.Errorf("a plain configuration: %v, %v", notices, err)
	}
	if notices, err := check(map[string]any{"servers": servers, "user": "app", "password": "secret"}); err != nil || len(notices) != 1 {
		t.Errorf("a password in clear: %v, %v; want a notice", notices, err)
	}
	for _, settings := range []map[string]any{{}, {"servers": []string{"a:0"}}, {"servers": servers, "user": "app"}, {"servers": servers, "port": "1"}} {
		if _, err := check(settings); err == nil {
			t.Errorf("%v: want an error", settings)
		}
	}
	if _, err := d.Settings[2].Parse("0s"); err == nil {
		t.Error("requestTimeout of 0s: want an error")
	}
}

// configFor is a configuration with the given settings of TLS.
func configFor(t *testing.T, addr string, settings map[string]any) jcache.Config {
	t.Helper()
	group, err := driver.NewValues(driver.TLSSetting().Group, settings)
	if err != nil {
		t.Fatal(err)
	}
	return jcache.Config{Provider: "memcached", Settings: map[string]any{"servers": []string{addr}, "tls": group}}
}
