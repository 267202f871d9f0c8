package jcache_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A fuse is code of the program that panics while it is lit: a policy, a codec, an Equal.
type fuse struct {
	at  string
	lit atomic.Bool
}

const secret = "a value that nobody may read in a log"

func (f *fuse) blow(at string) {
	if f.at == at && f.lit.Load() {
		panic(errors.New(secret))
	}
}

func (f *fuse) OnCreate(string, int) jcache.Expiry { f.blow("OnCreate"); return jcache.ExpireNever() }
func (f *fuse) OnAccess(string, int) jcache.Expiry {
	f.blow("OnAccess")
	return jcache.ExpireAfter(time.Hour)
}
func (f *fuse) OnUpdate(string, int) jcache.Expiry { f.blow("OnUpdate"); return jcache.ExpireNever() }

func (f *fuse) ID() byte { return 200 }

func (f *fuse) Append(dst []byte, n int) ([]byte, error) {
	f.blow("Append")
	return jcache.Tagged[int]().Append(dst, n)
}

func (f *fuse) Decode(data []byte) (int, error) {
	f.blow("Decode")
	return jcache.Tagged[int]().Decode(data)
}

func (f *fuse) Equal(a, b int) bool { f.blow("Equal"); return a == b }

func (f *fuse) process(_ context.Context, e *numberEntry) (int, error) {
	f.blow("processor")
	n, _, err := e.Value()
	e.SetValue(n)
	return n, err
}

// Code of the program that panics on the caller's goroutine panics there and leaves nothing
// locked; in a bulk operation it is the error of its key.
func TestPanics(t *testing.T) {
	var log logtest.Log
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	type cache = *jcache.Cache[string, int]
	single := map[string]func(ctx context.Context, c cache, f *fuse) error{
		"Get":          func(ctx context.Context, c cache, _ *fuse) error { _, _, err := c.Get(ctx, "k"); return err },
		"GetEntry":     func(ctx context.Context, c cache, _ *fuse) error { _, _, err := c.GetEntry(ctx, "k"); return err },
		"ContainsKey":  func(ctx context.Context, c cache, _ *fuse) error { _, err := c.ContainsKey(ctx, "k"); return err },
		"Put":          func(ctx context.Context, c cache, _ *fuse) error { return c.Put(ctx, "k", 1) },
		"Put, absent":  func(ctx context.Context, c cache, _ *fuse) error { return c.Put(ctx, "absent", 1) },
		"GetAndPut":    func(ctx context.Context, c cache, _ *fuse) error { _, _, err := c.GetAndPut(ctx, "k", 1); return err },
		"Remove":       func(ctx context.Context, c cache, _ *fuse) error { _, err := c.Remove(ctx, "k"); return err },
		"GetAndRemove": func(ctx context.Context, c cache, _ *fuse) error { _, _, err := c.GetAndRemove(ctx, "k"); return err },
		"PutIfAbsent": func(ctx context.Context, c cache, _ *fuse) error {
			_, err := c.PutIfAbsent(ctx, "absent", 1)
			return err
		},
		"Replace": func(ctx context.Context, c cache, _ *fuse) error { _, err := c.Replace(ctx, "k", 1); return err },
		"GetAndReplace": func(ctx context.Context, c cache, _ *fuse) error {
			_, _, err := c.GetAndReplace(ctx, "k", 1)
			return err
		},
		"CompareAndRemove": func(ctx context.Context, c cache, _ *fuse) error {
			_, err := c.CompareAndRemove(ctx, "k", 7)
			return err
		},
		"CompareAndReplace": func(ctx context.Context, c cache, _ *fuse) error {
			_, err := c.CompareAndReplace(ctx, "k", 1, 2)
			return err
		},
		"Invoke": func(ctx context.Context, c cache, f *fuse) error {
			_, err := jcache.Invoke(ctx, c, "k", f.process)
			return err
		},
		"InvokeEntry": func(ctx context.Context, c cache, f *fuse) error {
			_, err := jcache.InvokeEntry(ctx, c, jcache.Absent[string, int]("absent"), f.process)
			return err
		},
		"InvokeExclusive": func(ctx context.Context, c cache, f *fuse) error {
			_, err := jcache.InvokeExclusive(ctx, c, "k", time.Minute, f.process)
			return err
		},
		"All": func(ctx context.Context, c cache, _ *fuse) error {
			for _, err := range c.All(ctx) {
				return err
			}
			return nil
		},
		"Size":  func(ctx context.Context, c cache, _ *fuse) error { _, err := c.Size(ctx); return err },
		"Clear": func(ctx context.Context, c cache, _ *fuse) error { return c.Clear(ctx) },
	}
	bulk := map[string]func(ctx context.Context, c cache, f *fuse) error{
		"GetAll": func(ctx context.Context, c cache, _ *fuse) error {
			_, err := c.GetAll(ctx, "k", "l", "absent")
			return err
		},
		"PutAll": func(ctx context.Context, c cache, _ *fuse) error {
			return c.PutAll(ctx, map[string]int{"k": 1, "l": 2, "absent": 3})
		},
		"RemoveKeys": func(ctx context.Context, c cache, _ *fuse) error { return c.RemoveKeys(ctx, "k", "l", "absent") },
		"InvokeAll": func(ctx context.Context, c cache, f *fuse) error {
			results, err := jcache.InvokeAll(ctx, c, []string{"k", "l", "absent"}, f.process)
			for _, r := range results {
				if r.Err != nil {
					if err = r.Err; errors.Is(err, jcache.ErrPanic) && !errors.Is(err, jcache.ErrProcessor) {
						return fmt.Errorf("not ErrProcessor: %w", errSecret)
					}
				}
			}
			return err
		},
	}
	places := []string{"OnCreate", "OnAccess", "OnUpdate", "Append", "Decode", "Equal", "processor"}
	blown := make(map[string]bool)
	for _, disabled := range [][]driver.Feature{nil, driver.Features{}.Missing()} {
		for _, fixed := range []bool{false, true} {
			for _, at := range places {
				f := &fuse{at: at}
				opts := jcache.Options[string, int]{Codec: f, Equal: f.Equal, ExpiryPolicy: f}
				if fixed {
					opts.ExpiryPolicy = jcache.Touched[string, int](time.Hour)
				}
				tr := newTrouble(t, opts, disabled...)
				c, ctx := tr.cache, t.Context()
				try := func(name string, run func(context.Context, cache, *fuse) error, panics bool) {
					what := fmt.Sprintf("%s, panic in %s, fixed policy %v, without %v", name, at, fixed, disabled)
					for _, k := range []string{"k", "l"} {
						if err := c.Put(ctx, k, 1); err != nil {
							t.Fatal(err)
						}
					}
					if err := c.RemoveKeys(ctx, "absent"); err != nil {
						t.Fatal(err)
					}
					f.lit.Store(true)
					var err error
					recovered := func() (r any) {
						defer func() { r = recover() }()
						err = run(ctx, c, f)
						return nil
					}()
					f.lit.Store(false)
					if recovered != nil || errors.Is(err, jcache.ErrPanic) {
						blown[at] = true
					}
					switch {
					case panics && errors.Is(err, jcache.ErrPanic):
						t.Errorf("%s: a panic of the caller's goroutine became %v", what, err)
					case !panics && recovered != nil:
						t.Errorf("%s: it panicked", what)
					case err != nil && !errors.Is(err, jcache.ErrPanic) && !errors.Is(err, errors.ErrUnsupported):
						t.Errorf("%s: %v", what, err)
					case err != nil && strings.Contains(err.Error(), secret):
						t.Errorf("%s: the error tells a secret", what)
					}
					soon, cancel := context.WithTimeout(ctx, time.Second)
					defer cancel()
					for _, k := range []string{"k", "l", "absent"} { // nothing is locked
						if _, err := jcache.Invoke(soon, c, k, increment); err != nil {
							t.Fatalf("%s: afterwards: %v", what, err)
						}
					}
				}
				for name, run := range single {
					try(name, run, true)
				}
				for name, run := range bulk {
					try(name, run, false)
				}
				soon, cancel := context.WithTimeout(ctx, time.Second)
				if err := c.Close(soon); err != nil {
					t.Errorf("close after panics in %s: %v", at, err)
				}
				cancel()
			}
		}
	}
	for _, at := range places {
		if !blown[at] {
			t.Errorf("nothing went through %s", at)
		}
	}
	if text := log.String(); strings.Contains(text, secret) || !strings.Contains(text, "*errors.errorString") || !strings.Contains(text, "panic_test.go") {
		t.Errorf("the log must name the type and the place, and nothing else: %.2000s", text)
	}
}
