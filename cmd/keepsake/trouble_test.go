package main_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	_ "github.com/keepsake-cache/keepsake/providers"
)

// What goes wrong in practice is an error that says what it is about and what can be done,
// shows no secret, and loses nothing.
func TestTrouble(t *testing.T) {
	const secret = "hunter2"
	server := servertest.Memcached(t)
	dir := files(t, map[string]string{
		"provider.yaml": "cacheManager: {provider: hazlecast}\n",
		"misspelt.yaml": "cacheManager: {provider: memory}\nhttpSession: {cookiename: SHOP}\n",
		"unit.yaml":     "cacheManager: {provider: memory}\nhttpSession: {invalidationTimeout: 30 minutes}\n",
		"nobody.yaml":   "cacheManager: {provider: memcached, properties: {servers: 127.0.0.1:1, startTimeout: 0}}\n",
		"tls.yaml":      "cacheManager: {provider: memcached, properties: {servers: '" + server.Addr + "', tls: {enabled: true}}}\n",
		"password.yaml": "cacheManager: {provider: memcached, properties: {servers: '" + server.Addr + "', user: shop, password: " + secret + "}}\n",
		"shop.yaml":     "cacheManager: {provider: memcached, properties: {servers: '" + server.Addr + "'}}\nhttpSession: {cookieSecure: false}\n",
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	open := func(file string) error {
		cfg, err := configfile.Load(filepath.Join(dir, file))
		if err != nil {
			return err
		}
		system, err := cfg.Open(ctx)
		if err != nil {
			return err
		}
		return fmt.Errorf("it was opened; closing: %w", system.Close(ctx))
	}
	cfg, err := configfile.Load(filepath.Join(dir, "shop.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	system, err := cfg.Open(ctx)
	if err != nil {
		t.Fatal(err)
	}
	manager, err := system.CacheManager("")
	if err != nil {
		t.Fatal(err)
	}
	cache, err := jcache.CreateCache(ctx, manager, "carts", jcache.Options[string, string]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := cache.Put(ctx, "alice", "a book"); err != nil {
		t.Fatal(err)
	}
	large := secret + strings.Repeat(" ", 10<<20)

	for _, test := range []struct {
		name  string
		do    func() error
		is    error    // what the error matches, if programs can tell
		words []string // what an operator reads
	}{
		{"unknown provider", func() error { return open("provider.yaml") }, nil,
			[]string{"provider.yaml:1:16", `unknown provider "hazlecast"`, "did you mean hazelcast?"}},
		{"misspelt name", func() error { return open("misspelt.yaml") }, nil,
			[]string{"misspelt.yaml:2:15", `unknown name "cookiename"`, "did you mean cookieName?"}},
		{"wrong unit", func() error { return open("unit.yaml") }, nil,
			[]string{"unit.yaml:2:15: httpSession.invalidationTimeout", "30m"}},
		{"missing file", func() error { return open("missing.yaml") }, nil,
			[]string{"missing.yaml", "no such file"}},
		{"server that does not answer", func() error { return open("nobody.yaml") }, jcache.ErrUnavailable,
			[]string{"127.0.0.1:1", "refused"}},
		{"server without TLS", func() error { return open("tls.yaml") }, nil,
			[]string{server.Addr, "TLS"}},
		{"server without passwords", func() error { return open("password.yaml") }, nil,
			[]string{server.Addr, "password"}},
		{"value that is too large", func() error { return cache.Put(ctx, "alice", large) }, jcache.ErrTooLarge,
			[]string{"carts", "memcached", "bytes", "store less"}},
		{"attribute of 10 MB", func() error { return setAttribute(t, system, large) }, jcache.ErrTooLarge,
			[]string{"store less"}},
		{"nothing was lost", func() error {
			if got, _, err := cache.Get(ctx, "alice"); got != "a book" || err != nil {
				t.Errorf("after all this the cart is %q, %v", got, err)
			}
			return system.Close(ctx)
		}, nil, nil},
		{"closed manager", func() error { _, _, err := cache.Get(ctx, "alice"); return err }, jcache.ErrClosed,
			[]string{"carts", "closed"}},
		{"cache of a closed manager", func() error {
			_, err := jcache.CreateCache(ctx, manager, "more", jcache.Options[string, string]{})
			return err
		}, jcache.ErrClosed, []string{"closed"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			err := test.do()
			switch {
			case err == nil && test.words == nil:
				return
			case err == nil:
				t.Fatal("no error")
			case test.is != nil && !errors.Is(err, test.is):
				t.Errorf("%v does not match %v", err, test.is)
			case strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "alice"):
				t.Errorf("shows what is nobody's business: %v", err)
			}
			for _, word := range test.words {
				if !strings.Contains(err.Error(), word) {
					t.Errorf("does not say %q: %v", word, err)
				}
			}
			t.Log(err)
		})
	}
}

// setAttribute sets an attribute of a new session in a request, and returns the handler's error.
func setAttribute(t *testing.T, system *configfile.System, value string) error {
	sessions, err := system.Sessions("")
	if err != nil {
		t.Fatal(err)
	}
	var failed error
	handler := sessions.Handler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, failed = httpsession.Update(r.Context(), httpsession.From(r), "attribute",
			func(string, bool) (string, error) { return value, nil })
		if failed != nil {
			w.WriteHeader(httpsession.Status(failed))
		}
	}))
	answer := httptest.NewRecorder()
	handler.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/", nil))
	if answer.Code < 400 || answer.Header().Get("Set-Cookie") != "" {
		t.Errorf("answered with %d and cookie %q", answer.Code, answer.Header().Get("Set-Cookie"))
	}
	return failed
}
