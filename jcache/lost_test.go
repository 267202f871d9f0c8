package jcache_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/faulty"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// bare are the features that change how an operation writes.
var bare = []driver.Feature{driver.FeatureExchange, driver.FeatureBatchPut, driver.FeatureTouch}

// What one lost acknowledgement comes to, for each operation: its true result, or the
// word that it is unknown. Never an answer that is wrong.
func TestLostAcknowledgements(t *testing.T) {
	type call func(ctx context.Context, c *jcache.Cache[string, int]) (string, error)
	show := func(v any, ok bool, err error) (string, error) { return fmt.Sprint(v, " ", ok), err }
	const unknown, known, lost = 0, 1, 2
	tests := []struct {
		name     string
		start    int // 0: absent
		run      call
		result   string
		after    int
		disabled []driver.Feature
		applied  int // what is known of the result if the write was applied
		dropped  int // and if it was not
	}{
		{"put", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) { return "", c.Put(ctx, "k", 2) }, "", 2, nil, known, unknown},
		{"putAll", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			return "", c.PutAll(ctx, map[string]int{"k": 2})
		}, "", 2, nil, known, unknown},
		{"putAll without batches", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			return "", c.PutAll(ctx, map[string]int{"k": 2})
		}, "", 2, bare, known, unknown},
		{"putIfAbsent", 0, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			ok, err := c.PutIfAbsent(ctx, "k", 2)
			return show(0, ok, err)
		}, "0 true", 2, nil, known, unknown},
		{"invoke that creates", 0, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, err := jcache.Invoke(ctx, c, "k", increment)
			return show(v, true, err)
		}, "1 true", 1, nil, known, unknown},
		{"replace", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			ok, err := c.Replace(ctx, "k", 2)
			return show(0, ok, err)
		}, "0 true", 2, nil, known, known},
		{"compareAndReplace", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			ok, err := c.CompareAndReplace(ctx, "k", 1, 2)
			return show(0, ok, err)
		}, "0 true", 2, nil, known, known},
		{"getAndReplace", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.GetAndReplace(ctx, "k", 2)
			return show(v, ok, err)
		}, "1 true", 2, nil, known, known},
		{"invoke", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, err := jcache.Invoke(ctx, c, "k", increment)
			return show(v, true, err)
		}, "2 true", 2, nil, known, known},
		{"getAndPut", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.GetAndPut(ctx, "k", 2)
			return show(v, ok, err)
		}, "1 true", 2, nil, lost, unknown},
		{"getAndPut without exchange", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.GetAndPut(ctx, "k", 2)
			return show(v, ok, err)
		}, "1 true", 2, bare, known, known},
		{"remove", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			ok, err := c.Remove(ctx, "k")
			return show(0, ok, err)
		}, "0 true", 0, nil, lost, unknown},
		{"getAndRemove", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.GetAndRemove(ctx, "k")
			return show(v, ok, err)
		}, "1 true", 0, nil, lost, unknown},
		{"getAndRemove without exchange", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.GetAndRemove(ctx, "k")
			return show(v, ok, err)
		}, "1 true", 0, bare, lost, known},
		{"remove without exchange", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			ok, err := c.Remove(ctx, "k")
			return show(0, ok, err)
		}, "0 true", 0, bare, lost, known},
		{"compareAndRemove", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			ok, err := c.CompareAndRemove(ctx, "k", 1)
			return show(0, ok, err)
		}, "0 true", 0, nil, lost, known},
		{"removeKeys", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			return "", c.RemoveKeys(ctx, "k")
		}, "", 0, nil, known, unknown},
		{"put of what expires at once", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			return "", c.WithExpiryPolicy(jcache.Modified[string, int](0)).Put(ctx, "k", 2)
		}, "", 0, nil, known, unknown},
		{"get that touches", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.WithExpiryPolicy(jcache.Touched[string, int](time.Hour)).Get(ctx, "k")
			return show(v, ok, err)
		}, "1 true", 1, nil, known, known},
		{"get that touches, without touch", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.WithExpiryPolicy(jcache.Touched[string, int](time.Hour)).Get(ctx, "k")
			return show(v, ok, err)
		}, "1 true", 1, bare, known, known},
		{"get that expires", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, ok, err := c.WithExpiryPolicy(jcache.Accessed[string, int](0)).Get(ctx, "k")
			return show(v, ok, err)
		}, "1 true", 0, nil, known, known},
		{"invoke that retimes", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, err := jcache.Invoke(ctx, c, "k", func(_ context.Context, e *numberEntry) (int, error) {
				e.SetExpiry(jcache.ExpireAfter(time.Hour))
				n, _, err := e.Value()
				return n, err
			})
			return show(v, true, err)
		}, "1 true", 1, nil, known, known},
		{"invoke that removes", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, err := jcache.Invoke(ctx, c, "k", func(_ context.Context, e *numberEntry) (int, error) {
				e.Remove()
				return 7, nil
			})
			return show(v, true, err)
		}, "7 true", 0, nil, lost, known},
		{"registered processor", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			v, err := addUpTo.Invoke(ctx, c, "k", 2)
			return show(v, true, err)
		}, "3 true", 3, nil, lost, unknown},
		{"registered processor without a result", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) {
			_, err := setNumber.Invoke(ctx, c, "k", 2)
			return "", err
		}, "", 2, nil, known, unknown},
		{"removeAll", 1, func(ctx context.Context, c *jcache.Cache[string, int]) (string, error) { return "", c.RemoveAll(ctx) }, "", 0, nil, known, unknown},
	}
	for _, test := range tests {
		for fault, settled := range map[faulty.Fault]int{faulty.LostApplied: test.applied, faulty.LostDropped: test.dropped, faulty.Refused: unknown} {
			tr := newTrouble(t, jcache.Options[string, int]{}, test.disabled...)
			if test.start != 0 {
				if err := tr.calm.Put(t.Context(), "k", test.start); err != nil {
					t.Fatal(err)
				}
			}
			tr.follow(once(fault))
			result, err := test.run(t.Context(), tr.cache)
			what := fmt.Sprintf("%s, fault %d", test.name, fault)
			after := tr.value(t)
			switch {
			case fault == faulty.Refused:
				if !errors.Is(err, jcache.ErrUnavailable) || errors.Is(err, jcache.ErrIndeterminate) || after != test.start {
					t.Errorf("%s: got error %v and value %d, want ErrUnavailable and nothing changed", what, err, after)
				}
			case settled == lost:
				if !errors.Is(err, jcache.ErrAnswerLost) || !errors.Is(err, jcache.ErrIndeterminate) || after != test.after {
					t.Errorf("%s: got %q, %v and value %d; want ErrAnswerLost and %d", what, result, err, after, test.after)
				}
			case settled == known:
				if err != nil || result != test.result || after != test.after {
					t.Errorf("%s: got %q, %v and value %d; want %q and %d", what, result, err, after, test.result, test.after)
				}
			default:
				if !errors.Is(err, jcache.ErrIndeterminate) || errors.Is(err, jcache.ErrUnavailable) || errors.Is(err, jcache.ErrAnswerLost) {
					t.Errorf("%s: got %q, %v; want ErrIndeterminate", what, result, err)
				}
			}
		}
	}
}
