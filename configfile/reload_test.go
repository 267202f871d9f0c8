package configfile_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keepsake-cache/keepsake/jcache"
)

func TestReload(t *testing.T) {
	s := open(t, parse(t, "a.yaml", several))
	shop, err := s.Sessions("shop")
	if err != nil {
		t.Fatal(err)
	}
	steps := []struct {
		name, text string
		want       []string // sentences
		cookie     string   // of shop, afterwards
	}{
		{"nothing", several, nil, "SHOP"},
		{"a cookie", strings.Replace(several, "SHOP", "CART", 1), nil, "CART"},
		{"back", several, nil, "SHOP"},
		{"all that cannot change", `
cacheManager:
  - {id: a, provider: memory, properties: {maxEntries: 5}, cache: {name: x}}
  - {id: c, provider: memory}
httpSession:
  - {id: shop, cookieName: BASKET}
  - {id: new}
httpSessionCache:
  - {id: shop, cacheManagerRef: c, cacheNamePrefix: green.}
  - {id: new, cacheManagerRef: c}
`, []string{
			"cacheManager a: properties.maxEntries has changed; it is applied at the next start",
			"cacheManager a: cache x has changed; it is applied at the next start",
			"cacheManager b is gone; it is closed at the next start",
			"cacheManager c is new; it is opened at the next start",
			"httpSession shop: the cacheManagerRef has changed; it is applied at the next start",
			"httpSession shop: the cacheNamePrefix has changed; it is applied at the next start",
			"httpSession admin is gone; it is closed at the next start",
			"httpSession new is new; it is opened at the next start",
		}, "BASKET"},
		{"another provider", strings.Replace(several, "provider: memory", "provider: odd, uri: x", 1), []string{
			"cacheManager a: provider has changed; it is applied at the next start",
		}, "SHOP"},
	}
	for _, step := range steps {
		t.Run(step.name, func(t *testing.T) {
			restart, err := s.Reload(parse(t, "a.yaml", step.text))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(step.want, restart); diff != "" {
				t.Errorf("sentences (-want +got):\n%s", diff)
			}
			if got := visit(t, shop).Name; got != step.cookie {
				t.Errorf("the cookie is %s, want %s", got, step.cookie)
			}
		})
	}
}

// What is invalid changes nothing at all.
func TestReloadInvalid(t *testing.T) {
	s := open(t, parse(t, "a.yaml", several))
	next := parse(t, "b.yaml", strings.Replace(several, "SHOP", "CART", 1))
	next.Sessions[1].Options.IDLength = 7
	if _, err := s.Reload(next); err == nil || !strings.HasPrefix(err.Error(), "b.yaml:7:5: httpSession[2]: IDLength") {
		t.Errorf("got %v", err)
	}
	next = parse(t, "b.yaml", `
cacheManager: {id: a, provider: hazelcast, uri: missing.xml}
httpSession: {id: shop, cookieName: CART}
`)
	if _, err := s.Reload(next); err == nil || !strings.Contains(err.Error(), "b.yaml:2:44: cacheManager.uri: ") {
		t.Errorf("got %v", err)
	}
	shop, err := s.Sessions("shop")
	if err != nil {
		t.Fatal(err)
	}
	if got := visit(t, shop).Name; got != "SHOP" {
		t.Errorf("the cookie is %s", got)
	}
}

// The sentences name secrets but do not show them.
func TestReloadSecret(t *testing.T) {
	s := open(t, parse(t, "a.yaml", smallYAML))
	restart, err := s.Reload(parse(t, "a.yaml", "cacheManager: {provider: memcached, properties: {servers: a, user: u, password: sesame}}"))
	if err != nil || len(restart) != 1 || strings.Contains(restart[0], "sesame") {
		t.Errorf("got %q, %v", restart, err)
	}
}

// What is not applied to living sessions is said.
func TestReloadOfTheIdleTime(t *testing.T) {
	s := open(t, parse(t, "a.yaml", smallYAML))
	for range 2 {
		restart, err := s.Reload(parse(t, "a.yaml", smallYAML+"\nhttpSession: {invalidationTimeout: 2h, absoluteTimeout: 12h}"))
		if err != nil || len(restart) != 1 || !strings.HasPrefix(restart[0], "httpSession: invalidationTimeout has changed; sessions that begin") {
			t.Errorf("got %q, %v", restart, err)
		}
		if restart, err = s.Reload(parse(t, "a.yaml", smallYAML)); err != nil || len(restart) != 1 {
			t.Errorf("back: got %q, %v", restart, err)
		}
	}
}

func TestReloadAfterClose(t *testing.T) {
	s := open(t, parse(t, "a.yaml", smallYAML))
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reload(parse(t, "a.yaml", smallYAML)); !errors.Is(err, jcache.ErrClosed) {
		t.Errorf("got %v", err)
	}
}
