package memory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// bounded opens the driver's cache of a provider with bounds.
func bounded(t *testing.T, opts memory.Options) driver.Cache {
	t.Helper()
	p, err := memory.Connect(opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close(context.Background()) }) // it has no errors
	c, err := p.OpenCache(t.Context(), "c", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func present(t *testing.T, c driver.Cache, key string) bool {
	t.Helper()
	_, ok, err := c.Get(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// What has expired takes no room, whether or not it was swept.
func TestExpiredEntriesTakeNoRoom(t *testing.T) {
	for name, write := range map[string]func(c driver.Cache, key string, deadline time.Time) error{
		"put": func(c driver.Cache, key string, deadline time.Time) error {
			return c.Put(t.Context(), key, []byte("record"), deadline)
		},
		"swap": func(c driver.Cache, key string, deadline time.Time) error {
			_, _, err := c.Swap(t.Context(), key, driver.Token{}, []byte("record"), deadline)
			return err
		},
		"invoke": func(c driver.Cache, key string, deadline time.Time) error {
			_, err := c.(driver.Invoker).Invoke(t.Context(), key, "memory_test.store", []byte(deadline.Format(time.RFC3339Nano)))
			return err
		},
	} {
		for kind, opts := range map[string]memory.Options{
			"entries": {MaxEntries: 100, WhenFull: memory.Reject},
			"bytes":   {MaxBytes: 100 * (memory.EntryCost + 9), WhenFull: memory.Reject},
		} {
			t.Run(name+"/"+kind, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					c := bounded(t, opts)
					start := time.Now()
					// The first death has the cache swept, which is not repeated within a second.
					for i := range 100 {
						deadline := start.Add(600 * time.Millisecond)
						if i == 0 {
							deadline = start.Add(500 * time.Millisecond)
						}
						if err := write(c, fmt.Sprintf("%02d", i), deadline); err != nil {
							t.Fatal(err)
						}
					}
					if err := write(c, "xx", start.Add(time.Hour)); !errors.Is(err, jcache.ErrFull) {
						t.Fatalf("a full cache answers %v", err)
					}
					time.Sleep(601 * time.Millisecond)
					for i := range 100 {
						if err := write(c, fmt.Sprintf("n%d", i), start.Add(time.Hour)); err != nil {
							t.Fatalf("write %d of what fits answers %v", i, err)
						}
					}
				})
			})
		}
	}
}

// A bounded cache drops what has expired before anything that lives.
func TestExpiredEntriesGoFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := bounded(t, memory.Options{MaxEntries: 100})
		start := time.Now()
		for i := range 100 {
			deadline := start.Add(600 * time.Millisecond)
			switch {
			case i == 0:
				deadline = start.Add(500 * time.Millisecond)
			case i < 50:
				deadline = start.Add(time.Hour)
			}
			if err := c.Put(t.Context(), fmt.Sprint(i), []byte("record"), deadline); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(601 * time.Millisecond)
		for i := range 50 {
			if err := c.Put(t.Context(), fmt.Sprint("new", i), []byte("record"), start.Add(time.Hour)); err != nil {
				t.Fatal(err)
			}
		}
		for i := 1; i < 50; i++ {
			if !present(t, c, fmt.Sprint(i)) {
				t.Errorf("the living entry %d is gone", i)
			}
		}
	})
}

// What cannot fit is refused, and nothing else is dropped for it.
func TestTooLargeEvictsNothing(t *testing.T) {
	for name, full := range map[string]memory.WhenFull{"evict": memory.Evict, "reject": memory.Reject} {
		t.Run(name, func(t *testing.T) {
			const bound = 100_000
			c := bounded(t, memory.Options{MaxBytes: bound, WhenFull: full})
			for i := range 100 {
				if err := c.Put(t.Context(), fmt.Sprint(i), []byte("record"), never); err != nil {
					t.Fatal(err)
				}
			}
			large := make([]byte, bound-memory.EntryCost)
			for what, write := range map[string]func() error{
				"key":    func() error { return c.Put(t.Context(), strings.Repeat("k", bound), []byte("record"), never) },
				"record": func() error { return c.Put(t.Context(), "0", large, never) },
				"both":   func() error { return c.Put(t.Context(), strings.Repeat("k", bound/2), large[:bound/2], never) },
				"exchange": func() error {
					_, _, err := c.(driver.Exchanger).Exchange(t.Context(), "k", large, never)
					return err
				},
				"swap": func() error { _, _, err := c.Swap(t.Context(), "k", driver.Token{}, large, never); return err },
			} {
				if err := write(); !errors.Is(err, jcache.ErrTooLarge) {
					t.Errorf("%s: got %v", what, err)
				}
			}
			for i := range 100 {
				if !present(t, c, fmt.Sprint(i)) {
					t.Errorf("entry %d is gone", i)
				}
			}
			if err := c.Put(t.Context(), "k", large[1:], never); full == memory.Evict && err != nil {
				t.Errorf("what just fits: %v", err)
			}
		})
	}
}

// A flood of entries that nobody asks for again takes the room of its own kind, and not
// that of what is used.
func TestFloodSparesWhatIsUsed(t *testing.T) {
	const used, flood = 1000, 50_000
	for name, opts := range map[string]memory.Options{
		"entries": {MaxEntries: 2 * used},
		"bytes":   {MaxBytes: 2 * used * (memory.EntryCost + 20)},
	} {
		t.Run(name, func(t *testing.T) {
			c := bounded(t, opts)
			session := func(i int) string { return fmt.Sprintf("session%06d", i) }
			for i := range used {
				if err := c.Put(t.Context(), session(i), []byte("record"), never); err != nil {
					t.Fatal(err)
				}
			}
			for i := range flood {
				present(t, c, session(i%used))
				if err := c.Put(t.Context(), fmt.Sprintf("visitor%06d", i), []byte("record"), never); err != nil {
					t.Fatal(err)
				}
			}
			survived := 0
			for i := range used {
				if present(t, c, session(i)) {
					survived++
				}
			}
			if survived != used {
				t.Errorf("%d of %d entries that were read again and again survived", survived, used)
			}
		})
	}
}

// A full cache that rejects drops nothing that lives, however many writers it refuses.
func TestRejectDropsNothing(t *testing.T) {
	const entries = 100
	c := bounded(t, memory.Options{MaxEntries: entries, WhenFull: memory.Reject})
	for i := range entries {
		if err := c.Put(t.Context(), fmt.Sprint(i), []byte("record"), never); err != nil {
			t.Fatal(err)
		}
	}
	var writers sync.WaitGroup
	for w := range 8 {
		writers.Go(func() {
			for i := range 20_000 {
				key := fmt.Sprint("new", w, i) // which is refused
				if i%2 == 0 {
					key = fmt.Sprint(i % entries) // which is there
				}
				_ = c.Put(t.Context(), key, []byte("record"), never)
			}
		})
	}
	writers.Wait()
	for i := range entries {
		if !present(t, c, fmt.Sprint(i)) {
			t.Errorf("entry %d is gone", i)
		}
	}
}

// What is refused takes no room from what fits, not even while it is being refused.
func TestRefusedWritesTakeNoRoom(t *testing.T) {
	const small, large = memory.EntryCost + 2, 10 * memory.EntryCost
	c := bounded(t, memory.Options{MaxBytes: large + small/2, WhenFull: memory.Reject})
	if err := c.Put(t.Context(), "kept", []byte("v"), time.Time{}); err != nil {
		t.Fatal(err)
	}
	stop := make(chan struct{})
	var running sync.WaitGroup
	running.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			if err := c.Put(t.Context(), "l", make([]byte, large-memory.EntryCost-1), time.Time{}); !errors.Is(err, jcache.ErrFull) {
				t.Errorf("what does not fit beside another entry: %v", err)
				return
			}
		}
	})
	for range 100_000 {
		if err := c.Put(t.Context(), "s", []byte("v"), time.Time{}); err != nil {
			t.Errorf("what fits: %v", err)
			break
		}
		if err := c.Delete(t.Context(), "s"); err != nil {
			t.Fatal(err)
		}
	}
	close(stop)
	running.Wait()
}

// Whatever is done to it, a cache stays within its bounds, and counts what it holds.
func TestBoundsHold(t *testing.T) {
	for name, opts := range map[string]memory.Options{
		"evict entries":  {MaxEntries: 20},
		"evict one":      {MaxEntries: 1},
		"evict bytes":    {MaxBytes: 20 * memory.EntryCost},
		"reject entries": {MaxEntries: 20, WhenFull: memory.Reject},
		"reject bytes":   {MaxBytes: 20 * memory.EntryCost, WhenFull: memory.Reject},
		"both":           {MaxEntries: 20, MaxBytes: 15 * memory.EntryCost},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				seed := rand.Uint64()
				t.Logf("seed %d", seed)
				random := rand.New(rand.NewPCG(seed, 0))
				c := bounded(t, opts)
				for range 5000 {
					key := fmt.Sprint(random.IntN(100))
					deadline := time.Time{}
					if random.IntN(2) == 0 {
						deadline = time.Now().Add(time.Duration(1+random.IntN(2000)) * time.Millisecond)
					}
					record := make([]byte, 1+random.IntN(memory.EntryCost))
					var err error
					switch random.IntN(8) {
					case 0, 1, 2:
						err = c.Put(t.Context(), key, record, deadline)
						if err == nil && !present(t, c, key) {
							t.Fatal("what was just written is gone")
						}
					case 3:
						item, _, _ := c.Get(t.Context(), key)
						_, _, err = c.Swap(t.Context(), key, item.Token, record, deadline)
					case 4:
						err = c.Delete(t.Context(), key)
					case 5:
						item, _, _ := c.Get(t.Context(), key)
						_, err = c.(driver.Toucher).Touch(t.Context(), key, item.Token, deadline)
					case 6:
						time.Sleep(time.Duration(random.IntN(300)) * time.Millisecond)
					case 7:
						if random.IntN(50) == 0 {
							err = c.(driver.Clearer).Clear(t.Context())
						}
					}
					if err != nil && (opts.WhenFull == memory.Evict || !errors.Is(err, jcache.ErrFull)) {
						t.Fatal(err)
					}
					if problem := memory.Audit(c); problem != "" {
						t.Fatal(problem)
					}
				}
			})
		})
	}
}

// MaxBytes is what the entries take of the process, give or take a tenth.
func TestMaxBytesIsOfTheProcess(t *testing.T) {
	for _, size := range []int{20, 200, 2000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			const bound = 16 << 20
			c := bounded(t, memory.Options{MaxBytes: bound})
			before := heap()
			for i := range 2 * bound / (size + memory.EntryCost) {
				if err := c.Put(t.Context(), fmt.Sprintf("%040d", i), make([]byte, size), time.Now().Add(time.Hour)); err != nil {
					t.Fatal(err)
				}
			}
			taken := float64(heap()-before) / bound
			t.Logf("records of %d bytes: %.2f of maxBytes on the heap", size, taken)
			if taken < 0.9 || taken > 1.1 {
				t.Errorf("the entries take %.2f times the memory that they are counted for", taken)
			}
			runtime.KeepAlive(c)
		})
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

var never time.Time

func init() {
	driver.RegisterProcessor("memory_test.store", func(_ driver.Item, _ bool, args []byte) driver.Decision {
		deadline, _ := time.Parse(time.RFC3339Nano, string(args)) // a test wrote it
		return driver.Decision{Change: driver.ChangeStore, Record: []byte("record"), Deadline: deadline}
	})
}
