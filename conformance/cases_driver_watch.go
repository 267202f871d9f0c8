package conformance

import (
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// eventTimeout is how long an event may be under way.
const eventTimeout = 10 * time.Second

// A listener collects events.
type listener struct {
	e    *env
	stop func()

	mu      sync.Mutex
	events  []driver.Event
	running map[string]bool
	gap     bool
}

func (c client) watch() *listener {
	l := &listener{e: c.e, running: make(map[string]bool)}
	stop, err := c.f.Watcher.Watch(c.e.ctx, l.on)
	c.e.ok(err)
	l.stop = sync.OnceFunc(stop)
	c.e.Cleanup(l.stop)
	return l
}

func (l *listener) on(event driver.Event) {
	l.mu.Lock()
	if l.running[event.Key] {
		l.e.Errorf("two calls for one key at the same time")
	}
	l.running[event.Key] = true
	l.events = append(l.events, event)
	l.gap = l.gap || event.Kind == driver.EventGap
	l.mu.Unlock()

	l.mu.Lock()
	l.running[event.Key] = false
	l.mu.Unlock()
}

// of returns the events of one key.
func (l *listener) of(key string) []driver.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(l.events), func(e driver.Event) bool { return e.Key != key })
}

func (l *listener) lost() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.gap
}

// await waits for n events of a key and returns how they read. With a gap it
// returns nil: events were lost, and that was said.
func (l *listener) await(key string, n int) []string {
	l.e.eventually(eventTimeout, fmt.Sprintf("%d events of a key", n), func() bool { return l.lost() || len(l.of(key)) >= n })
	if l.lost() {
		return nil
	}
	var texts []string
	for _, event := range l.of(key) {
		texts = append(texts, describe(event))
	}
	return texts
}

func describe(event driver.Event) string {
	kind := [...]string{"", "put", "removed", "expired", "evicted", "cleared", "gap"}[event.Kind]
	if event.Kind == driver.EventPut {
		kind += " " + text(driver.Item{Record: event.Record})
	}
	return kind
}

var watchCases = []testCase{
	{
		name:   "watch/events of a key in order",
		rule:   "Watch calls on for each change, whoever made it; calls for one key are in the order of the changes and one at a time.",
		source: "driver.Watcher",
		needs:  needing(driver.FeatureWatch),
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "before")
			l := a.watch()
			var want []string
			for i := range 30 {
				one, two := fmt.Sprint("put ", i), fmt.Sprint("swap ", i)
				b.put(key, one)
				a.swap(key, a.item(key).Token, two)
				a.delete(key)
				want = append(want, "put "+one, "put "+two, "removed")
			}
			if got := l.await(key, len(want)); got != nil && !slices.Equal(got, want) {
				e.Errorf("got %q, want %q", got, want)
			}
		},
	},
	{
		name:   "watch/old records",
		rule:   "Old is what an event's record replaced, if known.",
		source: "driver.Event",
		needs:  needing(driver.FeatureWatch),
		run: func(e *env) {
			a, b := e.pair()
			l := a.watch()
			b.put(key, "one")
			b.put(key, "two")
			b.delete(key)
			if l.await(key, 3) == nil {
				return
			}
			for i, want := range []string{"", "one", "two"} {
				if old := l.of(key)[i].Old; old != nil {
					e.equal("Old of event "+fmt.Sprint(i), text(driver.Item{Record: old}), want)
				}
			}
		},
	},
	{
		name:   "watch/refused swaps are no changes",
		rule:   "Watch calls on for each change.",
		source: "driver.Watcher",
		needs:  needing(driver.FeatureWatch),
		run: func(e *env) {
			a, b := e.pair()
			l := a.watch()
			b.put(key, "one")
			b.refused(key, driver.Token{}, "two", "one")
			b.delete(otherKey)
			b.put(key, "three")
			if got, want := l.await(key, 2), []string{"put one", "put three"}; got != nil && !slices.Equal(got, want) {
				e.Errorf("got %q, want %q", got, want)
			}
			e.equal("events of a key that was removed and never there", len(l.of(otherKey)), 0)
		},
	},
	{
		name:   "watch/clear",
		rule:   "EventCleared: every key may have been removed at once.",
		source: "driver.EventKind",
		needs:  needing(driver.FeatureWatch),
		run: func(e *env) {
			a, b := e.pair()
			if a.f.Clearer == nil {
				return
			}
			a.put(key, "one")
			l := a.watch()
			e.ok(b.f.Clearer.Clear(e.ctx))
			e.eventually(eventTimeout, "an event that the cache was cleared, or the key removed", func() bool {
				cleared := slices.ContainsFunc(l.of(""), func(e driver.Event) bool { return e.Kind == driver.EventCleared })
				removed := slices.ContainsFunc(l.of(key), func(e driver.Event) bool { return e.Kind == driver.EventRemoved })
				return cleared || removed || l.lost()
			})
		},
	},
	{
		name:   "watch/expiry is no removal",
		rule:   "EventExpired: the record in Old passed its deadline and was dropped. EventRemoved: the key was removed by a call.",
		source: "driver.EventKind",
		needs:  needing(driver.FeatureWatch),
		run: func(e *env) {
			c := e.open()
			l := c.watch()
			c.putUntil(key, "one", in(30*time.Millisecond))
			e.wait(in(1500 * time.Millisecond)) // no word on when the event comes
			for _, event := range l.of(key) {
				if event.Kind == driver.EventRemoved || event.Kind == driver.EventEvicted {
					e.Errorf("nobody removed the record, but there is an event %q", describe(event))
				}
				if event.Kind == driver.EventExpired && event.Old != nil {
					e.equal("Old of the expiry", text(driver.Item{Record: event.Old}), "one")
				}
			}
		},
	},
	{
		name:   "watch/stop",
		rule:   "When stop returns, on is not running and will not be called again.",
		source: "driver.Watcher",
		needs:  needing(driver.FeatureWatch),
		run: func(e *env) {
			a, b := e.pair()
			var stopped, calls atomic.Int64
			stop, err := a.f.Watcher.Watch(e.ctx, func(driver.Event) {
				calls.Add(1)
				if stopped.Load() > 0 {
					e.Errorf("called after stop returned")
				}
			})
			e.ok(err)
			other := a.watch()
			e.parallel(2, func(i int) {
				if i == 0 {
					e.eventually(eventTimeout, "the first event", func() bool { return calls.Load() > 0 || other.lost() })
					stop()
					stopped.Store(1)
					return
				}
				for n := 0; stopped.Load() == 0 || n%100 > 0; n++ {
					b.put(key, fmt.Sprint(n))
				}
			})
			b.put(otherKey, "last")
			if got := other.await(otherKey, 1); got != nil {
				e.equal("event of a watcher that goes on", got[0], "put last")
			}
		},
	},
}
