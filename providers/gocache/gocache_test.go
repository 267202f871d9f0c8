package gocache_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/allegro/bigcache/v3"
	"github.com/eko/gocache/lib/v4/store"
	bigcachestore "github.com/eko/gocache/store/bigcache/v4"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/gocache"
)

func newStore(t *testing.T) store.StoreInterface {
	t.Helper()
	client, err := bigcache.New(t.Context(), bigcache.Config{Shards: 1, LifeWindow: time.Hour, HardMaxCacheSize: 8, MaxEntrySize: 100, MaxEntriesInWindow: 10})
	if err != nil {
		t.Fatal(err)
	}
	return bigcachestore.NewBigcache(client)
}

// Nobody gets operations that are atomic in one process only without having said that there is one.
func TestSeveralProcessesAreRefused(t *testing.T) {
	_, err := gocache.Open(t.Context(), gocache.Options{Store: newStore(t)})
	if !errors.Is(err, jcache.ErrInvalid) || !strings.Contains(err.Error(), "singleProcess") {
		t.Errorf("got %v", err)
	}
	for _, store := range []string{"bigcache", "memcache", "redis"} {
		for _, given := range []settings{{}, {"singleProcess": false}} {
			given["store"], given["servers"] = store, []string{"localhost"}
			_, err := jcache.Config{Provider: "gocache", Settings: given}.Check()
			if err == nil || !strings.Contains(err.Error(), "singleProcess is required with store "+store) {
				t.Errorf("%s: got %v", store, err)
			}
		}
	}
}

// A strange store takes strings only, wants everything to expire, and says in its own words that there is nothing.
type strange struct{ store.StoreInterface }

var errNothing = errors.New("nothing there")

func (s strange) Get(ctx context.Context, key any) (any, error) {
	v, err := s.StoreInterface.Get(ctx, key)
	if err != nil {
		return nil, errNothing
	}
	return string(v.([]byte)), nil
}

func (s strange) Set(ctx context.Context, key, value any, options ...store.Option) error {
	if store.ApplyOptions(options...).Expiration == 0 {
		return errors.New("invalid expire time")
	}
	return s.StoreInterface.Set(ctx, key, []byte(value.(string)), options...)
}

func (s strange) Delete(ctx context.Context, key any) error {
	if s.StoreInterface.Delete(ctx, key) != nil {
		return errNothing
	}
	return nil
}

func (strange) Clear(context.Context) error { panic("all of the store was cleared") }

func TestAnyStore(t *testing.T) {
	s := strange{newStore(t)}
	opts := gocache.Options{Store: s, SingleProcess: true}
	if _, err := gocache.Open(t.Context(), opts); !errors.Is(err, jcache.ErrUnavailable) {
		t.Errorf("a store whose errors are not explained: %v", err)
	}
	opts.Explain = func(err error) error {
		if errors.Is(err, errNothing) {
			return store.NotFoundWithCause(err)
		}
		return nil
	}
	m, err := gocache.Open(t.Context(), opts)
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // it is not what is tested
	c, err := jcache.CreateCache(t.Context(), m, "c", jcache.Options[string, int]{})
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"", "plain", "with space", strings.Repeat("long", 100), "ünï"} {
		if stored, err := c.PutIfAbsent(t.Context(), key, 1); !stored || err != nil {
			t.Errorf("put %q: %v, %v", key, stored, err)
		}
	}
	if err := c.Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, found, err := c.Get(t.Context(), "plain"); found || err != nil {
		t.Errorf("after Clear: %v, %v", found, err)
	}
	if c.Unwrap() != store.StoreInterface(s) {
		t.Error("Unwrap does not return the store")
	}
}

// What was cleared stays so in the next process, and what was not is there.
func TestStoresOutliveTheProcess(t *testing.T) {
	addr := servertest.Redis(t).Addr
	for round := range 3 {
		p := open(t, settings{"store": "redis", "servers": []string{addr}})
		m, err := jcache.NewManager(p, jcache.ManagerOptions{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := jcache.CreateCache(t.Context(), m, "c", jcache.Options[string, int]{})
		if err != nil {
			t.Fatal(err)
		}
		v, found, err := c.Get(t.Context(), "k")
		if err != nil || found != (round == 1) || found && v != 0 {
			t.Errorf("round %d begins with %v, %v, %v", round, v, found, err)
		}
		if err := c.Put(t.Context(), "k", round); err != nil {
			t.Fatal(err)
		}
		if round == 1 {
			if err := c.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if err := m.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// Deadlines beyond what memcached takes as a time from now are kept.
func TestFarDeadlinesOnMemcache(t *testing.T) {
	p := open(t, settings{"store": "memcache", "servers": []string{servertest.Memcached(t).Addr}})
	defer p.Close(context.Background()) //nolint:errcheck // it is not what is tested
	c, err := p.OpenCache(t.Context(), "c", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for _, life := range []time.Duration{time.Hour, 29 * 24 * time.Hour, 31 * 24 * time.Hour, 5 * 365 * 24 * time.Hour, 50 * 365 * 24 * time.Hour} {
		if err := c.Put(t.Context(), "k", []byte("record of 16 b.."), time.Now().Add(life)); err != nil {
			t.Fatal(err)
		}
		if _, found, err := c.Get(t.Context(), "k"); !found || err != nil {
			t.Errorf("a record that lives %v: %v, %v", life, found, err)
		}
	}
}
