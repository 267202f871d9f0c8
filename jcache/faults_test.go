package jcache_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/faulty"
	"github.com/keepsake-cache/keepsake/jcache"
)

// A swap that arrives after its repetition changes nothing any more.
func TestLateSwap(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	for _, overwrite := range []int{0, 100} {
		if err := tr.calm.Put(t.Context(), "k", 1); err != nil {
			t.Fatal(err)
		}
		tr.follow(once(faulty.LostLate))
		if n, err := jcache.Invoke(t.Context(), tr.cache, "k", increment); n != 2 || err != nil {
			t.Fatalf("got %d, %v", n, err)
		}
		want := 2
		if overwrite != 0 {
			want = overwrite
			if err := tr.calm.Put(t.Context(), "k", overwrite); err != nil {
				t.Fatal(err)
			}
		}
		tr.provider.Deliver()
		if n := tr.value(t); n != want {
			t.Errorf("after the late swap: %d, want %d", n, want)
		}
	}
}

// A swap that arrives between the look and the repetition is the one that counts.
func TestLateSwapBeforeItsRepetition(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	if err := tr.calm.Put(t.Context(), "k", 1); err != nil {
		t.Fatal(err)
	}
	swaps := 0
	tr.follow(func(c faulty.Call) faulty.Fault {
		if c.Op != "Swap" {
			return faulty.None
		}
		if swaps++; swaps == 1 {
			return faulty.LostLate
		}
		tr.provider.Deliver()
		return faulty.None
	})
	if n, err := jcache.Invoke(t.Context(), tr.cache, "k", increment); n != 2 || err != nil || tr.value(t) != 2 {
		t.Errorf("got %d, %v and value %d; want 2", n, err, tr.value(t))
	}
	if swaps != 2 {
		t.Errorf("%d swaps, want 2", swaps)
	}
}

// An entry whose creation was not acknowledged, and which somebody removed before the
// look, must not be created again.
func TestRemovedBeforeTheLook(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	lost := once(faulty.LostApplied)
	removed := false
	tr.follow(func(c faulty.Call) faulty.Fault {
		if c.Op == "Get" && !removed {
			var err error
			if removed, err = tr.calm.Remove(context.Background(), "k"); err != nil {
				t.Error(err)
			}
		}
		return lost(c)
	})
	if _, err := tr.cache.PutIfAbsent(t.Context(), "k", 7); !errors.Is(err, jcache.ErrIndeterminate) || !removed {
		t.Errorf("got error %v, want ErrIndeterminate", err)
	}
	if n := tr.value(t); n != 0 {
		t.Errorf("the entry that was removed is back: %d", n)
	}
}

// If somebody overwrites the entry before the look, nobody can tell.
func TestOverwrittenBeforeTheLook(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	lost := once(faulty.LostApplied)
	var overwrite sync.Once
	overwritten := false
	tr.follow(func(c faulty.Call) faulty.Fault {
		if c.Op == "Get" {
			overwrite.Do(func() {
				overwritten = true
				if err := tr.calm.Put(context.Background(), "k", 100); err != nil {
					t.Error(err)
				}
			})
		}
		return lost(c)
	})
	if _, err := tr.cache.PutIfAbsent(t.Context(), "k", 7); !errors.Is(err, jcache.ErrIndeterminate) || !overwritten {
		t.Errorf("got error %v, want ErrIndeterminate", err)
	}
	if n := tr.value(t); n != 100 {
		t.Errorf("the other's value is %d, want 100", n)
	}
}

// Settling waits while the provider cannot be read, as long as the context lives.
func TestSettleOutlastsTrouble(t *testing.T) {
	for outage, over := range map[int]bool{3: true, 1 << 30: false} {
		tr := newTrouble(t, jcache.Options[string, int]{})
		lost := once(faulty.LostApplied)
		looks := 0
		tr.follow(func(c faulty.Call) faulty.Fault {
			if c.Op == "Get" {
				if looks++; looks <= outage {
					return faulty.Refused
				}
			}
			return lost(c)
		})
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		stored, err := tr.cache.PutIfAbsent(ctx, "k", 7)
		cancel()
		if over && (!stored || err != nil) {
			t.Errorf("after an outage of %d looks: got %v, %v", outage, stored, err)
		}
		if !over && (!errors.Is(err, jcache.ErrIndeterminate) || looks < 3) {
			t.Errorf("in a long outage: got error %v after %d looks, want ErrIndeterminate", err, looks)
		}
	}
}

// If the swap was applied late and somebody overwrote the entry before it was
// repeated, nobody can tell either.
func TestOverwrittenBeforeTheRepetition(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	if err := tr.calm.Put(t.Context(), "k", 1); err != nil {
		t.Fatal(err)
	}
	swaps := 0
	tr.follow(func(c faulty.Call) faulty.Fault {
		if c.Op != "Swap" {
			return faulty.None
		}
		if swaps++; swaps == 1 {
			return faulty.LostLate
		}
		tr.provider.Deliver()
		if err := tr.calm.Put(context.Background(), "k", 100); err != nil {
			t.Error(err)
		}
		return faulty.None
	})
	if _, err := jcache.Invoke(t.Context(), tr.cache, "k", increment); !errors.Is(err, jcache.ErrIndeterminate) {
		t.Errorf("got error %v, want ErrIndeterminate", err)
	}
	if n := tr.value(t); n != 100 {
		t.Errorf("the other's value is %d, want 100: the increment was applied twice", n)
	}
}

// Goroutines of one process take turns at a key, so that they cost no round trips to
// each other: one read and one swap for each increment.
func TestNoRoundTripsAreLostInOneProcess(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	var gets, swaps atomic.Int64
	tr.follow(func(c faulty.Call) faulty.Fault {
		switch c.Op {
		case "Get":
			gets.Add(1)
		case "Swap":
			swaps.Add(1)
			runtime.Gosched() // where others would come in between
		}
		return faulty.None
	})
	const goroutines, each = 8, 50
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() {
			for range each {
				if _, err := jcache.Invoke(context.Background(), tr.cache, "k", increment); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if n := tr.value(t); n != goroutines*each {
		t.Errorf("counted to %d", n)
	}
	if gets.Load() != goroutines*each || swaps.Load() != goroutines*each {
		t.Errorf("%d reads and %d swaps for %d increments", gets.Load(), swaps.Load(), goroutines*each)
	}
}

// Losing every acknowledgement ends some time.
func TestEveryAcknowledgementLost(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	if err := tr.calm.Put(t.Context(), "k", 1); err != nil {
		t.Fatal(err)
	}
	swaps := 0
	tr.follow(func(c faulty.Call) faulty.Fault {
		if c.Op == "Swap" {
			swaps++
			return faulty.LostDropped
		}
		return faulty.None
	})
	if _, err := tr.cache.Replace(t.Context(), "k", 7); !errors.Is(err, jcache.ErrIndeterminate) {
		t.Errorf("got error %v, want ErrIndeterminate", err)
	}
	if swaps < 3 || swaps > 100 {
		t.Errorf("tried %d times", swaps)
	}
}

// A call that hangs ends with its context, and the error says both things.
func TestHangingCall(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	tr.follow(once(faulty.Hangs))
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := tr.cache.PutIfAbsent(ctx, "k", 7)
	if !errors.Is(err, jcache.ErrIndeterminate) || !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got error %v, want ErrIndeterminate and the context's", err)
	}
}

// Counting goes on while a tenth of all acknowledgements is lost.
func TestCountingWithLostAcknowledgements(t *testing.T) {
	for _, clients := range []int{1, 2} {
		tr := newTrouble(t, jcache.Options[string, int]{})
		if err := tr.calm.Put(t.Context(), "k", 0); err != nil {
			t.Fatal(err)
		}
		tr.follow(func(c faulty.Call) faulty.Fault {
			if c.Op == "Get" {
				return faulty.None
			}
			switch rand.IntN(20) {
			case 0:
				return faulty.LostApplied
			case 1:
				return faulty.LostDropped
			}
			return faulty.None
		})
		var sure, unsure atomic.Int64
		var wg sync.WaitGroup
		for i := range 6 {
			c := tr.cache
			if clients == 2 && i%2 == 1 {
				c = tr.calm
			}
			wg.Go(func() {
				for range 200 {
					switch _, err := jcache.Invoke(context.Background(), c, "k", increment); {
					case err == nil:
						sure.Add(1)
					case errors.Is(err, jcache.ErrIndeterminate):
						unsure.Add(1)
					default:
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		n := int64(tr.value(t))
		t.Logf("%d clients: counted to %d, %d sure, %d unsure", clients, n, sure.Load(), unsure.Load())
		if n < sure.Load() || n > sure.Load()+unsure.Load() {
			t.Errorf("%d clients: counted to %d, although %d increments are sure and %d unsure", clients, n, sure.Load(), unsure.Load())
		}
		if clients == 1 && unsure.Load() > 0 {
			t.Errorf("with one client, every lost acknowledgement can be settled; %d were not", unsure.Load())
		}
	}
}
