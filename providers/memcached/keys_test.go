package memcached_test

import (
	"crypto/sha256"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

func TestKeys(t *testing.T) {
	p := connectTo(t, servertest.Memcached(t))
	c := openCache(t, p, "keys")
	const prefix = "keepsake:keys:"
	for _, test := range []struct{ name, key, stored string }{
		{"plain", "a", prefix + "a"},
		{"longest plain", strings.Repeat("x", 250-len(prefix)), prefix + strings.Repeat("x", 250-len(prefix))},
		{"one byte too long", strings.Repeat("x", 251-len(prefix)), ""},
		{"10 kB", strings.Repeat("long ", 2000), ""},
		{"space", "a b", "keepsake:keys#yGh6CKpdbtIEQyj6aml6uOltw0KR6MIDSujDjm_MbWU"},
		{"line end", "a\r\nset x 0 0 1\r\n1", ""},
		{"zero byte", "\x00", ""},
		{"delete", "\x7f", ""},
		{"separators", "keys:@#", prefix + "keys:@#"},
		{"high bytes", "schl\xc3\xbcssel\xff", prefix + "schl\xc3\xbcssel\xff"},
	} {
		t.Run(test.name, func(t *testing.T) {
			put(t, c, test.key, test.name)
			want(t, c, test.key, test.name)
			if test.stored != "" {
				if _, err := client(c).Get(test.stored); err != nil {
					t.Errorf("the key is not stored where it should be: %v", err)
				}
			}
			item, _ := get(t, c, test.key)
			if ok, _, err := c.Swap(t.Context(), test.key, item.Token, record("swapped"), time.Time{}); !ok || err != nil {
				t.Fatalf("Swap = %v, %v", ok, err)
			}
			want(t, c, test.key, "swapped")
			if err := c.Delete(t.Context(), test.key); err != nil {
				t.Fatal(err)
			}
			want(t, c, test.key, "")
		})
	}
}

func TestCachesAndPrefixesShareNoKeys(t *testing.T) {
	server := servertest.Memcached(t)
	ours, theirs := connectTo(t, server), connect(t, memcached.Options{Servers: addrs(server), Prefix: "other"})
	caches := map[string]driver.Cache{
		"ours.a":   openCache(t, ours, "a"),
		"ours.a.b": openCache(t, ours, "a.b"),
		"theirs.a": openCache(t, theirs, "a"),
	}
	for _, key := range []string{"k", "b:k", "long " + strings.Repeat("k", 300)} {
		for name, c := range caches {
			put(t, c, key, name)
		}
		for name, c := range caches {
			want(t, c, key, name)
		}
	}
}

// TestCollision forges what only two keys of the same SHA-256 could bring about.
func TestCollision(t *testing.T) {
	c := openCache(t, connectTo(t, servertest.Memcached(t)), "collision")
	const here, other = "key with spaces", "another key with spaces"
	put(t, c, here, "here")
	put(t, c, other, "other")
	nameOf := func(key string) string { return storedHash("collision", key) }
	forged, err := client(c).Get(nameOf(other))
	if err != nil {
		t.Fatal(err)
	}
	forged.Key = nameOf(here)
	if err := client(c).Set(forged); err != nil {
		t.Fatal(err)
	}
	want(t, c, here, "")
	items, err := c.(driver.BatchGetter).GetBatch(t.Context(), []string{here, other})
	if err != nil || len(items) != 1 || items[0].Key != other {
		t.Errorf("GetBatch = %d items, %v; want the other one only", len(items), err)
	}
	swapped, current, err := c.Swap(t.Context(), here, driver.Token{}, record("mine"), time.Time{})
	if swapped || current != nil || err == nil || strings.Contains(err.Error(), "spaces") {
		t.Errorf("Swap = %v, %v, %v; want an error that names no key", swapped, current, err)
	}
	put(t, c, here, "here again")
	want(t, c, here, "here again")
}

// storedHash is where the key of a cache is stored if memcached does not take it.
func storedHash(cache, key string) string {
	sum := sha256.Sum256([]byte(key))
	return "keepsake:" + cache + "#" + base64.RawURLEncoding.EncodeToString(sum[:])
}
