package near_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A write is a value that was written; an empty one is a removal.
type write struct {
	value string
	ended time.Time // zero: it has begun
	own   bool      // of the process with the copies
}

// A story is what was written to a key, in order. The first is that there is nothing.
type story struct {
	writing sync.Mutex // held by the one who writes
	mu      sync.Mutex
	writes  []write
}

// begin notes a write, and returns the call that notes its end.
func (s *story) begin(w write) (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := len(s.writes)
	s.writes = append(s.writes, w)
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.writes[at].ended = time.Now()
	}
}

// wrong says what of a read is wrong, that began at a time: it must have seen all own writes that had ended, and those of
// others that had ended earlier than the bound.
func (s *story) wrong(got string, began time.Time, bound time.Duration) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	floor := 0
	for i, w := range s.writes {
		if !w.ended.IsZero() && (w.own && w.ended.Before(began) || w.ended.Before(began.Add(-bound))) {
			floor = i
		}
	}
	if slices.ContainsFunc(s.writes[floor:], func(w write) bool { return w.value == got }) {
		return ""
	}
	at := slices.IndexFunc(s.writes, func(w write) bool { return w.value == got })
	return fmt.Sprintf("got write %d of %d, and write %d had ended %v before", at, len(s.writes), floor, began.Sub(s.writes[floor].ended))
}

// With readers and writers in two processes and connections that break, no read misses a write of its own process, or
// one that ended earlier than the bound.
func TestNoReadIsStalePastTheBound(t *testing.T) {
	for name, p := range places {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			a, b := p.managers(t)
			here, there := create(t, a, p.opts), create(t, b, nil)
			keys := []string{"0", "1", "2", "3"}
			stories := make([]story, len(keys))
			for i := range stories {
				stories[i].begin(write{})()
			}
			ctx, cancel := context.WithTimeout(t.Context(), p.last)
			defer cancel()
			var work sync.WaitGroup
			for i := range 6 {
				r := rand.New(rand.NewPCG(seed, uint64(i)))
				work.Go(func() {
					for n := 0; ctx.Err() == nil && !t.Failed(); n++ {
						key := r.IntN(len(keys))
						if i < 4 {
							began := time.Now()
							got, err := read(t.Context(), r, here, keys[key])
							if wrong := stories[key].wrong(got, began, p.bound); err != nil || wrong != "" {
								t.Errorf("reader %d, read %d: %s, %v", i, n, wrong, err)
							}
							continue
						}
						c, own := there, i == 4
						if own {
							c = here
						}
						if err := stories[key].write(t.Context(), r, c, keys[key], fmt.Sprint(i, "-", n), own); err != nil {
							t.Errorf("writer %d, write %d: %v", i, n, err)
						}
						pause(ctx, time.Duration(r.IntN(8))*time.Millisecond)
					}
				})
			}
			work.Wait()
			s, _ := here.NearStatistics()
			t.Logf("%+v, hit ratio %.2f", s, s.HitRatio())
			if s.Hits == 0 || s.Misses == 0 {
				t.Error("nothing was read from copies, or everything")
			}
		})
	}
}

func pause(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}

func read(ctx context.Context, r *rand.Rand, c *textCache, key string) (string, error) {
	switch r.IntN(3) {
	case 0:
		e, _, err := c.GetEntry(ctx, key)
		return e.Value, err
	case 1:
		all, err := c.GetAll(ctx, key, "none", "neither")
		return all[key], err
	}
	v, _, err := c.Get(ctx, key)
	return v, err
}

// write changes a key in one of many ways, and notes it.
func (s *story) write(ctx context.Context, r *rand.Rand, c *textCache, key, value string, own bool) (err error) {
	s.writing.Lock()
	defer s.writing.Unlock()
	way := r.IntN(7)
	if way < 2 {
		value = ""
	}
	end := s.begin(write{value: value, own: own})
	switch way {
	case 0:
		_, err = c.Remove(ctx, key)
	case 1:
		err = c.RemoveKeys(ctx, key)
	case 2:
		_, _, err = c.GetAndPut(ctx, key, value)
	case 3:
		_, err = jcache.Invoke(ctx, c, key, func(_ context.Context, e *jcache.MutableEntry[string, string]) (int, error) {
			e.SetValue(value)
			return 0, nil
		})
	case 4:
		err = c.PutAll(ctx, map[string]string{key: value, "other" + value: value})
	default:
		err = c.Put(ctx, key, value)
	}
	end()
	return err
}
