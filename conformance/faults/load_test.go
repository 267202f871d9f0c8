package faults_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
)

const (
	population = 200                   // of each kind of entry and visitor
	onceEvery  = 15 * time.Millisecond // between two of the things that happen once
	briefLife  = 3 * time.Second
	limit      = 2 * time.Second
	grace      = time.Second // that a call may take beyond its limit on a busy machine
)

// A process is one of two that share a provider.
type process struct {
	manager *jcache.CacheManager
	cache   *jcache.Cache[string, int]
	brief   *jcache.Cache[string, int] // of entries that live for briefLife
	site    http.Handler
}

// start begins a process on a connection.
func start(t *testing.T, m *jcache.CacheManager) process {
	t.Helper()
	cache, err := jcache.CreateCache(t.Context(), m, "entries", jcache.Options[string, int]{ExpiryPolicy: jcache.Modified[string, int](time.Hour)})
	must(t, err)
	brief, err := jcache.CreateCache(t.Context(), m, "brief", jcache.Options[string, int]{ExpiryPolicy: jcache.Modified[string, int](briefLife)})
	must(t, err)
	sessions, err := httpsession.New(t.Context(), m, httpsession.Options{Cookie: httpsession.Cookie{AllowHTTP: true}})
	must(t, err)
	return process{m, cache, brief, site(sessions)}
}

// A ledger is what was acknowledged to those who use two processes.
type ledger struct {
	processes [2]process

	kept, removed, winners, counters map[string]int // by key: the last value, or the increments
	unknown                          map[string]int // increments whose outcome is unknown
	visitors, leavers, renewers      []*visitor
	idle                             []*visitor // who come back at the end only

	briefs []brief // one for each number, whose entry lives
	lasts  bool    // the fault

	begun atomic.Pointer[time.Time] // when what happens once begins to happen; nil: not yet

	mu           sync.Mutex
	calls, wrong int // wrong: of a kind that promises nothing, or too late
	over, late   int // entries whose end has come, and those that were found afterwards
}

// A brief is an entry that lives briefly.
type brief struct {
	key   string
	until time.Time // by then it has ended; zero: there is none
}

// call makes a call of a cache, and returns whether it was acknowledged, and whether its outcome is unknown.
func (l *ledger) call(do func(ctx context.Context) error) (acked, unknown bool) {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	err := do(ctx)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls++
	known := err == nil || errors.Is(err, jcache.ErrUnavailable) || errors.Is(err, jcache.ErrFull) || errors.Is(err, jcache.ErrContention)
	unknown = errors.Is(err, jcache.ErrIndeterminate) || errors.Is(err, jcache.ErrAnswerLost)
	if !known && !unknown && !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > limit+grace {
		l.wrong++
	}
	return err == nil, unknown
}

// populate makes what is there before the fault.
func populate(t *testing.T, a, b process) *ledger {
	t.Helper()
	l := &ledger{processes: [2]process{a, b}, kept: make(map[string]int), removed: make(map[string]int),
		winners: make(map[string]int), counters: make(map[string]int), unknown: make(map[string]int), briefs: make([]brief, population)}
	for i := range population {
		for kind, of := range map[string]map[string]int{"kept": l.kept, "removed": l.removed, "counter": l.counters} {
			key := fmt.Sprint(kind, i)
			must(t, a.cache.Put(t.Context(), key, 0))
			of[key] = 0
		}
		for _, list := range []*[]*visitor{&l.visitors, &l.leavers, &l.renewers, &l.idle} {
			v := &visitor{}
			if v.change(a.site); v.acked != 1 {
				t.Fatal("a visitor gets no session")
			}
			*list = append(*list, v)
		}
	}
	clear(l.removed) // they are removed during the fault
	return l
}

// begin lets happen what happens once, one after the other.
func (l *ledger) begin() {
	now := time.Now()
	l.begun.Store(&now)
}

// use goes on using everything until stop is called, each thing by one goroutine at a time.
func (l *ledger) use() (stop func()) {
	var work sync.WaitGroup
	done := make(chan struct{})
	const workers = 8
	for w := range workers {
		work.Go(func() {
			for round := 0; ; round++ {
				for i := w; i < population; i += workers {
					select {
					case <-done:
						return
					default:
						l.step(i, round)
					}
				}
			}
		})
	}
	return func() { close(done); work.Wait() }
}

// step does one thing to each of the things with one number.
func (l *ledger) step(i, round int) {
	here, there := l.processes[(i+round)%2], l.processes[(i+round+1)%2]
	l.count(here, fmt.Sprint("counter", i))
	l.visitors[i].change(there.site)
	l.end(here, there, i, round)
	if begun := l.begun.Load(); begun == nil || time.Since(*begun) < time.Duration(i)*onceEvery {
		if round%4 == 0 {
			l.renewers[i].change(there.site) // what is not used for long may be evicted
		}
		return
	}
	key := fmt.Sprint("removed", i)
	if ok, _ := l.call(func(ctx context.Context) error { _, err := here.cache.Remove(ctx, key); return err }); ok {
		l.note(l.removed, key, 0)
	}
	l.win(here, there, fmt.Sprint("winner", i))
	if v := l.leavers[i]; v.ended == "" {
		v.logout(there.site)
	}
	if v := l.renewers[i]; len(v.old) == 0 {
		v.renew(here.site)
	}
}

// end puts a brief entry, or looks for the last one when that has ended.
func (l *ledger) end(here, there process, i, round int) {
	b := &l.briefs[i]
	if b.until.IsZero() {
		b.key = fmt.Sprint("brief", i, " ", round)
		if ok, _ := l.call(func(ctx context.Context) error { return here.brief.Put(ctx, b.key, 0) }); ok {
			b.until = time.Now().Add(briefLife + time.Millisecond) // ends are exact to a millisecond
		}
		return
	}
	if time.Now().Before(b.until) {
		return
	}
	found := false
	ok, _ := l.call(func(ctx context.Context) (err error) {
		_, found, err = there.brief.Get(ctx, b.key)
		return err
	})
	if !ok {
		return // another time
	}
	b.until = time.Time{}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over++; found {
		l.late++
	}
}

func (l *ledger) note(of map[string]int, key string, n int) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of[key] += n
}

func (l *ledger) count(p process, key string) {
	acked, unknown := l.call(func(ctx context.Context) error {
		_, err := jcache.Invoke(ctx, p.cache, key, func(_ context.Context, e *jcache.MutableEntry[string, int]) (struct{}, error) {
			n, _, err := e.Value()
			e.SetValue(n + 1)
			return struct{}{}, err
		})
		return err
	})
	switch {
	case acked:
		l.note(l.counters, key, 1)
	case unknown:
		l.note(l.unknown, key, 1)
	}
}

// win has two processes create an entry; what the first one was told is noted.
func (l *ledger) win(a, b process, key string) {
	for n, p := range []process{a, b} {
		stored := false
		ok, _ := l.call(func(ctx context.Context) (err error) {
			stored, err = p.cache.PutIfAbsent(ctx, key, n+1)
			return err
		})
		l.mu.Lock()
		if _, won := l.winners[key]; ok && stored && !won {
			l.winners[key] = n + 1
		}
		l.mu.Unlock()
	}
}
