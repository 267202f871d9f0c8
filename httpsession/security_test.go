package httpsession_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

func TestUnknownIDsAreNotAdopted(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server := site.server()
	for name, cookie := range map[string]string{
		"well-formed":  strings.Repeat("A", 43),
		"short":        "abc",
		"overlong":     strings.Repeat("A", 30000),
		"garbage":      "%00%ff<script>\"",
		"another's":    "0001abcdefghijklmnopqrstuvw:clone1",
		"empty":        "",
		"quoted":       `"` + strings.Repeat("A", 43) + `"`,
		"with control": strings.Repeat("A", 42) + "\x01",
	} {
		t.Run(name, func(t *testing.T) {
			send := func(target string) *httptest.ResponseRecorder {
				r := httptest.NewRequest(http.MethodGet, target, nil)
				r.Header.Set("Cookie", "__Host-session="+cookie)
				w := httptest.NewRecorder()
				server.ServeHTTP(w, r)
				return w
			}
			if w := send("/?get=k"); w.Code != 404 || len(w.Result().Cookies()) != 0 {
				t.Errorf("read: %d %v", w.Code, w.Result().Cookies())
			}
			w := send("/?set=k&value=v")
			if c := w.Result().Cookies(); w.Code != 200 || len(c) != 1 || c[0].Value == cookie || len(c[0].Value) != 43 {
				t.Errorf("write: %d %v", w.Code, c)
			}
			if w := send("/?get=k"); w.Code != 404 {
				t.Errorf("the id was adopted")
			}
		})
	}
}

func TestForeignCookiesDoNotHideASession(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server, b := site.server(), newBrowser(t)
	b.get(server, "/?set=k&value=v")
	for _, before := range []string{"x", strings.Repeat("B", 43), "0001abc:clone", strings.Repeat("C", 30)} {
		r := httptest.NewRequest(http.MethodGet, "/?get=k", nil)
		r.Header.Set("Cookie", "other=1; __Host-session="+before+"; __Host-session="+b.id())
		w := httptest.NewRecorder()
		server.ServeHTTP(w, r)
		if w.Body.String() != "v" {
			t.Errorf("behind another cookie of its name the session is not found: %d", w.Code)
		}
	}
}

func TestIDs(t *testing.T) {
	site := newSite(t, httpsession.Options{IDLength: 22}, app)
	server := site.server()
	seen := map[string]bool{}
	for range 1000 {
		b := newBrowser(t)
		b.get(server, "/?set=k&value=v")
		if len(b.id()) != 22 || seen[b.id()] {
			t.Fatalf("an id of %d characters, seen before: %v", len(b.id()), seen[b.id()])
		}
		seen[b.id()] = true
	}
}

func TestRenewOnLogin(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	a, b := site.server(), site.server()
	visitor, attacker := newBrowser(t), newBrowser(t)
	visitor.get(a, "/?set=cart&value=tea")
	attacker.cookies["__Host-session"] = visitor.id() // planted or stolen before the login
	visitor.get(a, "/?renew&set=user&value=alice")
	for _, server := range []http.Handler{a, b} {
		visitor.want(server, "/?get=cart", 200, "tea")
		visitor.want(server, "/?get=user", 200, "alice")
		attacker.want(server, "/?get=user", 404, "none\n")
	}
}

func TestNothingSecretIsStoredOrLogged(t *testing.T) {
	var logs bytes.Buffer
	opts := httpsession.Options{Logger: slog.New(slog.NewTextHandler(&logs, &slog.HandlerOptions{Level: slog.LevelDebug}))}
	site := newSite(t, opts, app)
	server, b := site.server(), newBrowser(t)
	b.get(server, "/?set=name&value=topsecret")
	id := b.id()

	p := site.spy.Provider.(*memory.Provider)
	cache, err := p.OpenCache(context.Background(), "sessions", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for item := range cache.(driver.Scanner).Scan(context.Background()) {
		if strings.Contains(item.Key, id) || bytes.Contains(item.Record, []byte(id)) {
			t.Error("the store knows the id")
		}
	}
	site.spy.fail(jcache.ErrUnavailable)
	b.get(server, "/?set=name&value=topsecret")
	b.get(server, "/?get=name")
	if text := logs.String(); text == "" || strings.Contains(text, id) || strings.Contains(text, "topsecret") {
		t.Errorf("logs: %s", text)
	}
}

func TestUndecodableSessionDoesNotLockOut(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	server, b := site.server(), newBrowser(t)
	b.get(server, "/?set=k&value=v")
	cache, err := site.spy.Provider.(*memory.Provider).OpenCache(context.Background(), "sessions", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for item := range cache.(driver.Scanner).Scan(context.Background()) {
		broken := append(bytes.Clone(item.Record), 0xff, 0xff, 0xff)
		if err := cache.Put(context.Background(), item.Key, broken, time.Time{}); err != nil {
			t.Fatal(err)
		}
	}
	b.want(server, "/?get=k", 404, "none\n")
	b.want(server, "/?set=k&value=new", 200, "")
	b.want(server, "/?get=k", 200, "new")
}

func TestUndecodableAttributeIsItsOwnProblem(t *testing.T) {
	type profile struct{ Age int }
	type profileOfAnotherVersion struct{ Age string }
	site := newSite(t, httpsession.Options{}, func(_ http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r)
		if err := errors.Join(s.Set("profile", profile{7}), s.Set("name", "alice")); err != nil {
			t.Fatal(err)
		}
		if _, _, err := httpsession.Get[profileOfAnotherVersion](r.Context(), s, "profile"); !errors.Is(err, jcache.ErrTypeMismatch) {
			t.Errorf("%v, want ErrTypeMismatch", err)
		}
		if name, ok, err := httpsession.Get[string](r.Context(), s, "name"); name != "alice" || !ok || err != nil {
			t.Errorf("%q %v %v", name, ok, err)
		}
	})
	newBrowser(t).get(site.server(), "/")
}

func TestCookieOptions(t *testing.T) {
	for _, test := range []struct {
		name   string
		cookie httpsession.Cookie
		want   string // a part of Set-Cookie, or of the error
		ok     bool
	}{
		{"default", httpsession.Cookie{}, "; Path=/; HttpOnly; Secure; SameSite=Lax", true},
		{"plain", httpsession.Cookie{AllowHTTP: true}, "session=", true},
		{"domain", httpsession.Cookie{Domain: "example.org"}, "; Path=/; Domain=example.org; HttpOnly; Secure", true},
		{"path", httpsession.Cookie{Path: "/shop"}, "; Path=/shop; ", true},
		{"persistent", httpsession.Cookie{MaxAge: time.Hour}, "; Max-Age=3600; ", true},
		{"partitioned", httpsession.Cookie{SameSite: http.SameSiteNoneMode, Partitioned: true}, "; SameSite=None; Partitioned", true},
		{"strict", httpsession.Cookie{SameSite: http.SameSiteStrictMode, AllowScript: true}, "; Path=/; Secure; SameSite=Strict", true},
		{"host prefix over HTTP", httpsession.Cookie{Name: "__Host-x", AllowHTTP: true}, "__Host-", false},
		{"host prefix with domain", httpsession.Cookie{Name: "__Host-x", Domain: "example.org"}, "__Host-", false},
		{"secure prefix over HTTP", httpsession.Cookie{Name: "__Secure-x", AllowHTTP: true}, "__Secure-", false},
		{"None over HTTP", httpsession.Cookie{SameSite: http.SameSiteNoneMode, AllowHTTP: true}, "SameSite=None", false},
		{"bad name", httpsession.Cookie{Name: "a b"}, "Cookie.Name", false},
		{"bad domain", httpsession.Cookie{Domain: "a b"}, "Domain", false},
		{"negative age", httpsession.Cookie{MaxAge: -time.Second}, "MaxAge", false},
		{"less than a second", httpsession.Cookie{MaxAge: 500 * time.Millisecond}, "whole seconds", false},
		{"a part of a second", httpsession.Cookie{MaxAge: 1500 * time.Millisecond}, "whole seconds", false},
		{"host prefix in any case", httpsession.Cookie{Name: "__HOST-x", AllowHTTP: true}, "__Host-", false},
		{"host prefix in any case, with a path", httpsession.Cookie{Name: "__host-x", Path: "/shop"}, "__Host-", false},
		{"host prefix in any case, as it must be", httpsession.Cookie{Name: "__hOsT-x"}, "__hOsT-x=", true},
		{"secure prefix in any case", httpsession.Cookie{Name: "__SECURE-x", AllowHTTP: true}, "__Secure-", false},
		{"http prefix with scripts", httpsession.Cookie{Name: "__Http-x", AllowScript: true}, "__Http-", false},
		{"http prefix over HTTP", httpsession.Cookie{Name: "__http-x", AllowHTTP: true}, "__Http-", false},
		{"host and http prefix with scripts", httpsession.Cookie{Name: "__Host-Http-x", AllowScript: true}, "__Host-Http-", false},
		{"host and http prefix with a domain", httpsession.Cookie{Name: "__Host-Http-x", Domain: "example.org"}, "__Host-", false},
		{"host and http prefix", httpsession.Cookie{Name: "__Host-Http-x"}, "__Host-Http-x=", true},
		{"path without a slash", httpsession.Cookie{Path: "shop"}, "must begin with /", false},
		{"unknown SameSite", httpsession.Cookie{SameSite: 9}, "SameSite", false},
		{"negative SameSite", httpsession.Cookie{SameSite: -1}, "SameSite", false},
		{"partitioned over HTTP", httpsession.Cookie{Partitioned: true, AllowHTTP: true}, "artitioned", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			caches, err := memory.Open(memory.Options{})
			if err != nil {
				t.Fatal(err)
			}
			defer caches.Close(context.Background()) //nolint:errcheck // memory has nothing to lose
			m, err := httpsession.New(context.Background(), caches, httpsession.Options{Cookie: test.cookie})
			if !test.ok {
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Errorf("error %v, want one about %s", err, test.want)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			w := newBrowser(t).get(m.Handler(http.HandlerFunc(app)), "/?set=k&value=v")
			if got := w.Header().Get("Set-Cookie"); !strings.Contains(got, test.want) {
				t.Errorf("Set-Cookie: %s, want %s in it", got, test.want)
			}
		})
	}
}

func TestOptionsThatMakeNoSense(t *testing.T) {
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer caches.Close(context.Background()) //nolint:errcheck // memory has nothing to lose
	for _, opts := range []httpsession.Options{{IDLength: 21}, {IDLength: 129}, {Lifetime: -1}, {CacheName: "a/b"}} {
		if _, err := httpsession.New(context.Background(), caches, opts); err == nil {
			t.Errorf("%+v was accepted", opts)
		}
	}
}

func TestReconfigure(t *testing.T) {
	site := newSite(t, httpsession.Options{}, app)
	m := site.manager()
	server, b := m.Handler(site.handler), newBrowser(t)
	b.get(server, "/?set=k&value=v")
	if err := m.Reconfigure(httpsession.Options{Cookie: httpsession.Cookie{Name: "id"}}); err != nil {
		t.Fatal(err)
	}
	b.want(server, "/?get=k", 404, "none\n")
	b.cookies["id"] = b.id()
	b.want(server, "/?get=k", 200, "v")
	if m.Reconfigure(httpsession.Options{CacheName: "other"}) == nil {
		t.Error("another cache was accepted")
	}
	if m.Reconfigure(httpsession.Options{IDLength: 1}) == nil {
		t.Error("a short id was accepted")
	}
}
