package jcache_test

import (
	"context"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// openMemory returns a manager on memory that ends with the test.
func openMemory(t testing.TB, opts jcache.ManagerOptions) *jcache.CacheManager {
	t.Helper()
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	opts.Provider = "memory"
	m, err := jcache.NewManager(p, opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := m.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return m
}

// create returns a new cache on memory.
func create[K comparable, V any](t testing.TB, opts jcache.Options[K, V], disabled ...driver.Feature) *jcache.Cache[K, V] {
	t.Helper()
	c, err := jcache.CreateCache(t.Context(), openMemory(t, jcache.ManagerOptions{Disable: disabled}), "test", opts)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestPolicies(t *testing.T) {
	const d = time.Minute
	keep, never, now, after := jcache.KeepExpiry(), jcache.ExpireNever(), jcache.ExpireNow(), jcache.ExpireAfter(d)
	type answers struct{ create, access, update jcache.Expiry }
	for name, test := range map[string]struct {
		policy jcache.ExpiryPolicy[string, int]
		want   answers
	}{
		"eternal":        {jcache.Eternal[string, int](), answers{never, keep, never}},
		"created":        {jcache.Created[string, int](d), answers{after, keep, keep}},
		"accessed":       {jcache.Accessed[string, int](d), answers{after, after, keep}},
		"modified":       {jcache.Modified[string, int](d), answers{after, keep, after}},
		"touched":        {jcache.Touched[string, int](d), answers{after, after, after}},
		"touched, zero":  {jcache.Touched[string, int](0), answers{now, now, now}},
		"created, below": {jcache.Created[string, int](-d), answers{now, keep, keep}},
	} {
		got := answers{test.policy.OnCreate("k", 1), test.policy.OnAccess("k", 1), test.policy.OnUpdate("k", 1)}
		if got != test.want {
			t.Errorf("%s answers %v, want %v", name, got, test.want)
		}
	}
}

func TestNewExpiryPolicy(t *testing.T) {
	for _, name := range jcache.ExpiryPolicyNames() {
		d := time.Minute
		if name == "eternal" {
			d = 0
		}
		if _, err := jcache.NewExpiryPolicy[string, int](name, d); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if p, err := jcache.NewExpiryPolicy[string, int]("", 0); err != nil || p.OnCreate("", 0) != jcache.ExpireNever() {
		t.Errorf("the empty name: %v, want eternal", err)
	}
	for _, bad := range []struct {
		name string
		d    time.Duration
	}{
		{"eternal", time.Second}, {"", time.Second}, {"created", 0}, {"touched", -time.Second}, {"Touched", time.Second}, {"idle", time.Second},
	} {
		if _, err := jcache.NewExpiryPolicy[string, int](bad.name, bad.d); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("%q with %v: got error %v, want ErrInvalid", bad.name, bad.d, err)
		}
	}
}

// Every write under Eternal makes an entry eternal, whether it looks first or not.
func TestEternalEndsDeadlines(t *testing.T) {
	ctx := t.Context()
	writes := map[string]func(c *jcache.Cache[string, int]) error{
		"put":       func(c *jcache.Cache[string, int]) error { return c.Put(ctx, "k", 2) },
		"putAll":    func(c *jcache.Cache[string, int]) error { return c.PutAll(ctx, map[string]int{"k": 2}) },
		"getAndPut": func(c *jcache.Cache[string, int]) error { _, _, err := c.GetAndPut(ctx, "k", 2); return err },
		"replace":   func(c *jcache.Cache[string, int]) error { _, err := c.Replace(ctx, "k", 2); return err },
	}
	for name, write := range writes {
		for _, disabled := range [][]driver.Feature{nil, {driver.FeatureExchange, driver.FeatureBatchPut}} {
			c := create(t, jcache.Options[string, int]{}, disabled...)
			if err := c.WithExpiryPolicy(jcache.Created[string, int](time.Hour)).Put(ctx, "k", 1); err != nil {
				t.Fatal(err)
			}
			if err := write(c); err != nil {
				t.Fatal(err)
			}
			if e, ok, err := c.GetEntry(ctx, "k"); err != nil || !ok || e.Value != 2 || !e.Deadline.IsZero() {
				t.Errorf("%s without %v leaves %v, %v, %v", name, disabled, e, ok, err)
			}
		}
	}
}

// The longest duration is as good as any.
func TestLongDurations(t *testing.T) {
	c := create(t, jcache.Options[string, int]{ExpiryPolicy: jcache.Created[string, int](math.MaxInt64)})
	if err := c.Put(t.Context(), "k", 1); err != nil {
		t.Fatal(err)
	}
	if _, ok, err := c.Get(t.Context(), "k"); !ok || err != nil {
		t.Errorf("an entry that expires in 292 years: %v, %v", ok, err)
	}
}
