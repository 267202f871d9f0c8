package jcache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A stalled step waits for its context and holds up no other name.
func TestStepsAreOfOneName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, m := newStage(t, func(ctx context.Context, _, name string) error {
			if name != "slow" {
				return nil
			}
			<-ctx.Done()
			return ctx.Err()
		})
		create := func(name string) func(ctx context.Context) error {
			return func(ctx context.Context) error {
				_, err := jcache.CreateCache(ctx, m, name, jcache.Options[string, int]{})
				return err
			}
		}
		var wg sync.WaitGroup
		for range 3 { // the others wait for the first, each with its own context
			wg.Go(func() {
				if err := within(time.Minute, create("slow")); !errors.Is(err, context.DeadlineExceeded) && !errors.Is(err, jcache.ErrClosed) {
					t.Errorf("opening a slow name: %v", err)
				}
			})
		}
		synctest.Wait()
		start := time.Now()
		for _, do := range []func(context.Context) error{
			create("fast"),
			func(ctx context.Context) error { _, err := jcache.GetCache[string, int](ctx, m, "fast"); return err },
			func(ctx context.Context) error { return m.DestroyCache(ctx, "fast") },
		} {
			if err := within(time.Second, do); err != nil || time.Since(start) != 0 {
				t.Errorf("another name: %v after %v", err, time.Since(start))
			}
		}
		if err := within(time.Second, m.Close); !errors.Is(err, context.DeadlineExceeded) || s.closed.Load() {
			t.Errorf("closing the manager meanwhile: %v, connection closed: %v", err, s.closed.Load())
		}
		wg.Wait()
		if err := m.Close(context.Background()); err != nil || !s.closed.Load() {
			t.Errorf("closing again: %v, connection closed: %v", err, s.closed.Load())
		}
	})
}

// A destruction that was cut short is gone on with by whoever wants the name.
func TestDestroyCanBeRepeated(t *testing.T) {
	again := map[string]func(ctx context.Context, m *jcache.CacheManager, c *jcache.Cache[string, int]) error{
		"DestroyCache": func(ctx context.Context, m *jcache.CacheManager, _ *jcache.Cache[string, int]) error {
			return m.DestroyCache(ctx, "c")
		},
		"CreateCache": func(ctx context.Context, m *jcache.CacheManager, _ *jcache.Cache[string, int]) error {
			_, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{})
			return err
		},
		"GetCache": func(ctx context.Context, m *jcache.CacheManager, _ *jcache.Cache[string, int]) error {
			if _, err := jcache.GetCache[string, int](ctx, m, "c"); !errors.Is(err, jcache.ErrCacheNotFound) {
				return fmt.Errorf("not ErrCacheNotFound, but %w", err)
			}
			return nil
		},
		"Close of the cache": func(ctx context.Context, _ *jcache.CacheManager, c *jcache.Cache[string, int]) error {
			return c.Close(ctx)
		},
		"Close of the manager": func(ctx context.Context, m *jcache.CacheManager, _ *jcache.Cache[string, int]) error {
			return m.Close(ctx)
		},
	}
	for name, repeat := range again {
		for _, fault := range []string{"clear", "put"} { // put: an operation is inside
			synctest.Test(t, func(t *testing.T) {
				var trouble atomic.Bool
				goOn := make(chan struct{})
				s, m := newStage(t, func(ctx context.Context, step, _ string) error {
					switch {
					case step != fault || !trouble.Load():
						return nil
					case step == "put":
						<-goOn
						return nil
					}
					<-ctx.Done()
					return fmt.Errorf("%w: %w", driver.ErrIndeterminate, ctx.Err())
				})
				ctx := context.Background()
				c, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{})
				if err != nil {
					t.Fatal(err)
				}
				if err := c.Put(ctx, "k", 1); err != nil {
					t.Fatal(err)
				}
				trouble.Store(true)
				var wg sync.WaitGroup
				if fault == "put" {
					wg.Go(func() {
						if err := c.Put(ctx, "k", 2); err != nil {
							t.Error(err)
						}
					})
					synctest.Wait()
				}
				if err := within(time.Second, func(ctx context.Context) error { return m.DestroyCache(ctx, "c") }); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("in trouble: %v", err)
				}
				if _, _, err := c.Get(ctx, "k"); !errors.Is(err, jcache.ErrClosed) {
					t.Errorf("an operation of a cache that is being destroyed: %v", err)
				}
				close(goOn)
				trouble.Store(false)
				if err := repeat(ctx, m, c); err != nil {
					t.Errorf("%s after a destruction that was cut short in %s: %v", name, fault, err)
				}
				wg.Wait()
				if name != "Close of the manager" {
					left, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{})
					if errors.Is(err, jcache.ErrCacheExists) {
						left, err = jcache.GetCache[string, int](ctx, m, "c")
					}
					if err != nil {
						t.Fatal(err)
					}
					if _, ok, err := left.Get(ctx, "k"); err != nil || ok != (name == "Close of the cache") {
						t.Errorf("%s after %s: an entry is there: %v, %v", name, fault, ok, err)
					}
				}
				if err := m.Close(ctx); err != nil || !s.closed.Load() {
					t.Error(err)
				}
			})
		}
	}
}

// Close has a bound of its own, and what is inside when it is over is not cut off.
func TestCloseIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		goOn := make(chan struct{})
		s, m := newStage(t, calm)
		ctx := context.Background()
		c, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{})
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		wg.Go(func() {
			_, err := jcache.Invoke(ctx, c, "k", func(_ context.Context, e *numberEntry) (int, error) {
				<-goOn
				e.SetValue(1)
				return 0, nil
			})
			if err != nil {
				t.Errorf("what was inside: %v", err)
			}
		})
		synctest.Wait()
		for _, close := range []func(context.Context) error{c.Close, m.Close, c.Close, m.Close, func(ctx context.Context) error { return c.Close(ctx) }} {
			start := time.Now()
			if err := close(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) > time.Minute || s.closed.Load() {
				t.Errorf("closing with somebody inside: %v after %v", err, time.Since(start))
			}
		}
		close(goOn)
		wg.Wait()
		for range 2 {
			if err := errors.Join(m.Close(ctx), c.Close(ctx)); err != nil || !s.closed.Load() {
				t.Errorf("closing with nobody inside: %v", err)
			}
		}
	})
}

// A loop is not waited for, whoever closes: its own body, or somebody else.
func TestCloseInsideALoop(t *testing.T) {
	for name, shut := range map[string]func(m *jcache.CacheManager, c *jcache.Cache[string, int]) error{
		"the cache":   func(_ *jcache.CacheManager, c *jcache.Cache[string, int]) error { return c.Close(context.Background()) },
		"the manager": func(m *jcache.CacheManager, _ *jcache.Cache[string, int]) error { return m.Close(context.Background()) },
		"destroy": func(m *jcache.CacheManager, _ *jcache.Cache[string, int]) error {
			return m.DestroyCache(context.Background(), "c")
		},
	} {
		synctest.Test(t, func(t *testing.T) {
			_, m := newStage(t, calm)
			ctx := context.Background()
			c, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{})
			if err != nil {
				t.Fatal(err)
			}
			if err := c.PutAll(ctx, map[string]int{"a": 1, "b": 2, "c": 3}); err != nil {
				t.Fatal(err)
			}
			start, steps := time.Now(), 0
			var last error
			for _, err := range c.All(ctx) {
				if steps++; steps == 1 {
					if err := shut(m, c); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				last = err
			}
			if !errors.Is(last, jcache.ErrClosed) || steps != 2 || time.Since(start) != 0 {
				t.Errorf("%s: %d steps, the last with %v, after %v", name, steps, last, time.Since(start))
			}
			func() { // a body that panics leaves nothing behind
				defer func() { _ = recover() }()
				for range c.All(ctx) {
					panic("on purpose")
				}
			}()
			if err := m.Close(ctx); err != nil {
				t.Error(err)
			}
		})
	}
}

// A closer is a policy and a codec of the program's that wants to be closed.
type closer struct {
	jcache.ExpiryPolicy[string, int]
	jcache.Codec[int]
	closed atomic.Int64
	err    error
	panics bool
}

func (c *closer) Close() error {
	if c.closed.Add(1); c.panics {
		panic("on purpose")
	}
	return c.err
}

func newCloser(err error) *closer {
	return &closer{ExpiryPolicy: jcache.Eternal[string, int](), Codec: jcache.Tagged[int](), err: err}
}

func TestWhatACacheOwnsIsClosed(t *testing.T) {
	oops, ouch := errors.New("oops"), errors.New("ouch")
	ctx := t.Context()
	for name, shut := range map[string]func(m *jcache.CacheManager, c *jcache.Cache[string, int]) error{
		"Close":                func(_ *jcache.CacheManager, c *jcache.Cache[string, int]) error { return c.Close(ctx) },
		"DestroyCache":         func(m *jcache.CacheManager, c *jcache.Cache[string, int]) error { return m.DestroyCache(ctx, "c") },
		"Close of the manager": func(m *jcache.CacheManager, c *jcache.Cache[string, int]) error { return m.Close(ctx) },
	} {
		_, m := newStage(t, calm)
		policy, codec, view := newCloser(oops), newCloser(ouch), newCloser(oops)
		c, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{ExpiryPolicy: policy, Codec: codec})
		if err != nil {
			t.Fatal(err)
		}
		if err := c.WithExpiryPolicy(view).Put(ctx, "k", 1); err != nil {
			t.Fatal(err)
		}
		if _, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{ExpiryPolicy: view}); err == nil || view.closed.Load() != 0 {
			t.Errorf("a creation that was refused: %v, closed %d times", err, view.closed.Load())
		}
		if err := shut(m, c); !errors.Is(err, oops) || !errors.Is(err, ouch) {
			t.Errorf("%s: got %v, want both errors", name, err)
		}
		if err := errors.Join(shut(m, c), m.Close(ctx)); err != nil && !errors.Is(err, jcache.ErrClosed) {
			t.Errorf("%s again: %v", name, err)
		}
		if policy.closed.Load() != 1 || codec.closed.Load() != 1 || view.closed.Load() != 0 {
			t.Errorf("%s: the policy was closed %d times, the codec %d, the policy of a view %d", name, policy.closed.Load(), codec.closed.Load(), view.closed.Load())
		}
	}
	_, m := newStage(t, calm)
	both := newCloser(nil)
	both.panics = true
	c, err := jcache.CreateCache(ctx, m, "c", jcache.Options[string, int]{ExpiryPolicy: both, Codec: both})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Close(ctx); !errors.Is(err, jcache.ErrPanic) || both.closed.Load() != 1 {
		t.Errorf("one that is both, and panics: %v, closed %d times", err, both.closed.Load())
	}
	if err := m.Close(ctx); err != nil {
		t.Error(err)
	}
}
