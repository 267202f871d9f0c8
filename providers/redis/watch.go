package redis

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// watchedFor is for how long it is known that somebody watches, and watchedAgain how often that is said.
	watchedFor   = 10 * time.Second
	watchedAgain = 2 * time.Second
	// followAgain is between two attempts to hear of changes.
	followAgain = 100 * time.Millisecond
)

// channel is where the changes of a cache are told.
func (c *cache) channel() string { return c.base + "@events" }

// watchedKey is there while somebody watches the cache.
func (c *cache) watchedKey() string { return c.base + "@watched" }

// A feed passes the changes of one cache on to any number of watchers. It hears of them while there are any.
type feed struct {
	cache *cache
	turn  chan struct{} // full while watchers come or go
	stop  func()        // ends hearing; nil: nothing is heard
	hears atomic.Bool   // no gap is open

	missed atomic.Bool // deadlines may not have been noted

	mu         sync.Mutex // held while watchers are called, one after the other
	watchers   []*watcher
	generation int64 // of the last change
}

type watcher struct{ on func(driver.Event) }

// feed returns the feed of a cache.
func (p *Provider) feed(c *cache) *feed {
	p.feedsMu.Lock()
	defer p.feedsMu.Unlock()
	f := p.feeds[c.base]
	if f == nil {
		f = &feed{cache: c, turn: make(chan struct{}, 1)}
		p.feeds[c.base] = f
	}
	return f
}

// Watch implements driver.Watcher. The first watcher of a cache waits until every process knows that its
// changes are to be told.
func (c *cache) Watch(ctx context.Context, on func(driver.Event)) (stop func(), err error) {
	ctx, cancel := c.provider.bound(ctx)
	defer cancel()
	f := c.provider.feed(c)
	select {
	case f.turn <- struct{}{}:
		defer func() { <-f.turn }()
	case <-ctx.Done():
		return nil, failure(ctx, ctx.Err(), false)
	}
	if f.stop == nil {
		heard, err := f.begin(ctx)
		if err != nil {
			return nil, err
		}
		f.hears.Store(true)
		life, end := context.WithCancel(c.provider.life)
		var work sync.WaitGroup
		work.Go(func() { f.follow(life, heard) })
		work.Go(func() { f.expire(life) })
		c.provider.tasks.Go(work.Wait)
		f.stop = func() { end(); work.Wait() }
	}
	w := &watcher{on}
	f.mu.Lock()
	f.watchers = append(f.watchers, w)
	f.mu.Unlock()
	return func() { f.remove(w) }, nil
}

// remove ends what a watcher hears, and all hearing with the last one.
func (f *feed) remove(w *watcher) {
	f.turn <- struct{}{}
	defer func() { <-f.turn }()
	f.mu.Lock()
	f.watchers = slices.DeleteFunc(f.watchers, func(other *watcher) bool { return other == w })
	none := len(f.watchers) == 0
	f.mu.Unlock()
	if none && f.stop != nil {
		f.stop()
		f.stop = nil
	}
}

// tell tells every watcher; f.mu is held.
func (f *feed) tell(e driver.Event) {
	for _, w := range f.watchers {
		w.on(e)
	}
}

// gap tells that changes may not have been told.
func (f *feed) gap() {
	f.cache.provider.counters.gaps.Add(1)
	f.missed.Store(true)
	f.mu.Lock()
	defer f.mu.Unlock()
	f.tell(driver.Event{Kind: driver.EventGap})
}

// hear passes on what was told. What was done to records of an earlier generation changes nothing any more.
func (f *feed) hear(t told) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if t.generation > f.generation {
		f.generation = t.generation
		f.tell(driver.Event{Kind: driver.EventCleared})
	}
	if t.kind == toldCleared || t.generation < f.generation {
		return
	}
	if e, err := t.event(); err == nil {
		f.tell(e)
	}
}

// begin begins to hear of what any process does from the time on that it returns.
func (f *feed) begin(ctx context.Context) (*hearing, error) {
	h, err := f.listen(ctx)
	if err != nil {
		return nil, err
	}
	since, err := f.mark(ctx)
	if err == nil && since < clearWait && !wait(ctx, clearWait) { // leases may not know it
		err = failure(ctx, context.DeadlineExceeded, false)
	}
	var l *lease
	if err == nil {
		l, err = f.cache.generation(ctx)
	}
	if err != nil {
		h.close()
		return nil, err
	}
	f.mu.Lock()
	f.generation = max(f.generation, l.number)
	f.mu.Unlock()
	return h, nil
}

// mark says that somebody watches, and returns since when that was known.
func (f *feed) mark(ctx context.Context) (since time.Duration, err error) {
	m, err := f.cache.provider.run(ctx, watchedScript, f.cache.watchedKey(), text(watchedFor.Milliseconds()))
	if errors.Is(err, driver.ErrIndeterminate) {
		return 0, failure(ctx, errSilent, false) // no record was written
	}
	if err != nil {
		return 0, err
	}
	ms, err := m.AsInt64()
	return time.Duration(ms) * time.Millisecond, err
}

// follow hears until ctx ends. When it may not have heard everything, it tells so: at once, and when it hears
// again.
func (f *feed) follow(ctx context.Context, h *hearing) {
	defer func() { h.close() }()
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for marked := time.Now(); ; {
		whole := true
		select {
		case <-ctx.Done():
			return
		case <-h.lost:
			whole = false
		case <-tick.C:
			whole = f.unchanged(ctx, h)
			if whole && time.Since(marked) >= watchedAgain {
				marked = time.Now()
				since, err := f.mark(ctx)
				whole = err != nil || since >= clearWait // one that is away is lost soon
			}
		}
		if whole {
			continue
		}
		f.hears.Store(false)
		h.close()
		f.gap()
		for h = nil; h == nil; {
			if !wait(ctx, followAgain) {
				return
			}
			h = f.again(ctx)
		}
		marked = time.Now()
		f.gap()
		f.hears.Store(true)
	}
}

// Fresh implements driver.Freshness.
func (c *cache) Fresh() bool { return c.provider.feed(c).hears.Load() }

// again begins again, or returns nil.
func (f *feed) again(ctx context.Context) *hearing {
	ctx, cancel := f.cache.provider.bound(ctx)
	defer cancel()
	h, err := f.begin(ctx)
	if err != nil {
		return nil
	}
	return h
}
