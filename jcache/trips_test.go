package jcache_test

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/faulty"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// What each operation asks of the driver, with all optional interfaces and without.
func TestRoundTrips(t *testing.T) {
	type cache = *jcache.Cache[string, int]
	eternal, touched, created := jcache.Eternal[string, int](), jcache.Touched[string, int](time.Hour), jcache.Created[string, int](time.Hour)
	all := []driver.Feature(nil)
	none := driver.Features{}.Missing()
	for _, test := range []struct {
		name   string
		policy jcache.ExpiryPolicy[string, int]
		absent bool
		run    func(ctx context.Context, c cache) error
		rich   string // the calls with all optional interfaces
		poor   string // and without; empty: the same
	}{
		{"get", eternal, false, func(ctx context.Context, c cache) error { _, _, err := c.Get(ctx, "k"); return err }, "Get", ""},
		{"get that touches", touched, false, func(ctx context.Context, c cache) error { _, _, err := c.Get(ctx, "k"); return err }, "Get Touch", "Get Swap"},
		{"containsKey", touched, false, func(ctx context.Context, c cache) error { _, err := c.ContainsKey(ctx, "k"); return err }, "Get", ""},
		{"getAll", eternal, false, func(ctx context.Context, c cache) error { _, err := c.GetAll(ctx, "k", "l", "k"); return err }, "GetBatch", "Get Get"},
		{"getAll of one", eternal, false, func(ctx context.Context, c cache) error { _, err := c.GetAll(ctx, "k"); return err }, "Get", ""},
		{"put", eternal, false, func(ctx context.Context, c cache) error { return c.Put(ctx, "k", 2) }, "Put", ""},
		{"put that must look", created, false, func(ctx context.Context, c cache) error { return c.Put(ctx, "k", 2) }, "Get Swap", ""},
		{"putAll", eternal, false, func(ctx context.Context, c cache) error { return c.PutAll(ctx, map[string]int{"k": 1, "l": 2}) }, "PutBatch PutBatch", "Put Put"},
		{"putIfAbsent", created, true, func(ctx context.Context, c cache) error { _, err := c.PutIfAbsent(ctx, "k", 2); return err }, "Swap", ""},
		{"putIfAbsent, refused", created, false, func(ctx context.Context, c cache) error { _, err := c.PutIfAbsent(ctx, "k", 2); return err }, "Swap", ""},
		{"getAndPut", eternal, false, func(ctx context.Context, c cache) error { _, _, err := c.GetAndPut(ctx, "k", 2); return err }, "Exchange", "Get Swap"},
		{"remove", eternal, false, func(ctx context.Context, c cache) error { _, err := c.Remove(ctx, "k"); return err }, "Exchange", "Get Swap"},
		{"remove, absent", eternal, true, func(ctx context.Context, c cache) error { _, err := c.Remove(ctx, "k"); return err }, "Exchange", "Get"},
		{"removeKeys", eternal, false, func(ctx context.Context, c cache) error { return c.RemoveKeys(ctx, "k", "l") }, "Delete Delete", ""},
		{"replace", eternal, false, func(ctx context.Context, c cache) error { _, err := c.Replace(ctx, "k", 2); return err }, "Get Swap", ""},
		{"replace, absent", eternal, true, func(ctx context.Context, c cache) error { _, err := c.Replace(ctx, "k", 2); return err }, "Get", ""},
		{"invoke", eternal, false, func(ctx context.Context, c cache) error { _, err := jcache.Invoke(ctx, c, "k", increment); return err }, "Get Swap", ""},
		{"getEntry and invokeEntry", eternal, false, func(ctx context.Context, c cache) error {
			e, _, err := c.GetEntry(ctx, "k")
			if err == nil {
				_, err = jcache.InvokeEntry(ctx, c, e, increment)
			}
			return err
		}, "Get Swap", ""},
		{"clear", eternal, false, func(ctx context.Context, c cache) error { return c.Clear(ctx) }, "Clear", "-"},
		{"size", eternal, false, func(ctx context.Context, c cache) error { _, err := c.Size(ctx); return err }, "Size", "-"},
	} {
		for _, disabled := range [][]driver.Feature{all, none} {
			want := test.rich
			if disabled != nil && test.poor != "" {
				want = test.poor
			}
			if want == "-" {
				continue // unsupported
			}
			tr := newTrouble(t, jcache.Options[string, int]{ExpiryPolicy: test.policy}, disabled...)
			if !test.absent {
				if err := tr.calm.Put(t.Context(), "k", 1); err != nil {
					t.Fatal(err)
				}
			}
			var mu sync.Mutex
			var calls []string
			tr.follow(func(c faulty.Call) faulty.Fault {
				mu.Lock()
				defer mu.Unlock()
				calls = append(calls, c.Op)
				return faulty.None
			})
			if err := test.run(t.Context(), tr.cache); err != nil {
				t.Errorf("%s: %v", test.name, err)
			}
			if got := strings.Join(calls, " "); got != want {
				t.Errorf("%s without %v: calls %q, want %q", test.name, disabled, got, want)
			}
		}
	}
}
