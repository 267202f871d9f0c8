package conformance

import (
	"context"
	"errors"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var contextCases = []testCase{
	{
		name:   "context/a write whose context ends is all or nothing",
		rule:   "An error that does not match ErrIndeterminate means that nothing was changed and nothing will be.",
		source: "driver contract 5 and 6",
		run: func(e *env) {
			a, b := e.pair()
			type attempt struct {
				key   string
				err   error
				there bool // what a read shows if the write took effect
			}
			var attempts []attempt
			try := func(i int, write func(ctx context.Context, key string) error, there bool) {
				k := keyMark + string(rune('a'+i%26)) + string(rune('a'+i/26))
				if !there {
					b.put(k, "one")
				}
				ctx, cancel := context.WithTimeout(e.ctx, time.Duration(i/3)*100*time.Microsecond)
				defer cancel()
				attempts = append(attempts, attempt{k, write(ctx, k), there})
			}
			for i := range 60 {
				switch i % 3 {
				case 0:
					try(i, func(ctx context.Context, k string) error { return a.Put(ctx, k, record("one"), never) }, true)
				case 1:
					try(i, func(ctx context.Context, k string) error {
						_, _, err := a.Swap(ctx, k, driver.Token{}, record("one"), never)
						return err
					}, true)
				case 2:
					try(i, func(ctx context.Context, k string) error { return a.Delete(ctx, k) }, false)
				}
			}
			look := func() {
				for _, at := range attempts {
					there := b.get(at.key) != absent
					if at.err == nil && there != at.there {
						e.breaks(&ruleSwallowed, "a write returned without an error and did not take effect")
					}
					if at.err != nil && !errors.Is(at.err, driver.ErrIndeterminate) && there == at.there {
						e.Errorf("a write took effect although its error is not ErrIndeterminate: %v", at.err)
					}
				}
			}
			look()
			e.wait(in(300 * time.Millisecond)) // what is under way may take effect later
			look()
		},
	},
	{
		name:   "context/a call returns when its context ends",
		rule:   "The context is honoured: a call returns soon after it ends.",
		source: "driver contract 6",
		run: func(e *env) {
			c := e.open()
			c.put(key, "one")
			ctx, cancel := context.WithTimeout(e.ctx, 20*time.Millisecond)
			defer cancel()
			for range 2 { // the second round begins with a context that has ended
				_, _, err := c.Get(ctx, key) // the auditor looks at the time and the error
				if err != nil && !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, driver.ErrUnavailable) {
					e.Errorf("the context ended, but the error is %v", err)
				}
				_ = c.Put(ctx, key, record("two"), never)
				_, _, _ = c.Swap(ctx, key, driver.Token{}, record("three"), never)
				_ = c.Delete(ctx, key)
				if c.f.BatchGetter != nil {
					_, _ = c.f.BatchGetter.GetBatch(ctx, []string{key, otherKey})
				}
				if c.f.Locker != nil {
					if unlock, err := c.f.Locker.Lock(ctx, key, time.Second); err == nil {
						e.ok(unlock(e.ctx))
					}
				}
				<-ctx.Done()
			}
			// Of another key: a write that was given up may take effect after a later one.
			if err := c.Put(e.ctx, otherKey, record("four"), never); err != nil {
				e.breaks(&ruleRecovers, "after calls whose context ended: %v", err)
				return
			}
			if got := c.get(otherKey); got != "four" {
				e.breaks(&ruleBelongs, "after calls whose context ended: got %s, want four", got)
			}
		},
	},
}
