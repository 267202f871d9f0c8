package hazelcast

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A feed passes the events of one map on to any number of watchers. The client cannot
// remove a listener from the members again, so a map has one listener, which is
// added with the first watcher and stays until the provider is closed.
type feed struct {
	m    *remoteMap
	list atomic.Pointer[[]*watcher]

	mu        sync.Mutex // held to change list and to add the listener
	listening atomic.Pointer[hz.Client]
	listener  atomic.Int64 // the number of the listener that counts, which is the last one
}

type watcher struct {
	mu      sync.Mutex // held while on runs
	on      func(driver.Event)
	stopped bool
}

func (f *feed) tell(e driver.Event) {
	list := f.list.Load()
	if list == nil {
		return
	}
	for _, w := range *list {
		w.mu.Lock()
		if !w.stopped {
			w.on(e)
		}
		w.mu.Unlock()
	}
}

// add and remove copy the list, which tell reads without a lock; the caller of add holds
// f.mu.
func (f *feed) add(w *watcher) {
	list := []*watcher{w}
	if old := f.list.Load(); old != nil {
		list = append(slices.Clone(*old), w)
	}
	f.list.Store(&list)
}

func (f *feed) remove(w *watcher) {
	f.mu.Lock()
	list := slices.DeleteFunc(slices.Clone(*f.list.Load()), func(other *watcher) bool { return other == w })
	f.list.Store(&list)
	f.mu.Unlock()
	w.mu.Lock()
	defer w.mu.Unlock()
	w.stopped = true
}

// Watch implements driver.Watcher. The members send events at most once: those that a
// slow watcher or a lost connection costs are reported as driver.EventGap.
func (c *cache) Watch(ctx context.Context, on func(driver.Event)) (stop func(), err error) {
	f := c.provider.feed(c.remoteMap)
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := c.provider.listen(ctx, f); err != nil {
		return nil, err
	}
	w := &watcher{on: on}
	f.add(w)
	return func() { f.remove(w) }, nil
}

func (p *Provider) feed(m *remoteMap) *feed {
	p.mu.Lock()
	defer p.mu.Unlock()
	f, ok := p.feeds[m.name]
	if !ok {
		f = &feed{m: m}
		p.feeds[m.name] = f
	}
	return f
}

// deafen notes that the members do not have the listeners any more; p.mu is held.
func (p *Provider) deafen() {
	for _, f := range p.feeds {
		f.listening.Store(nil)
	}
}

// listen adds the map's listener, if it is not there; the caller holds f.mu.
func (p *Provider) listen(ctx context.Context, f *feed) error {
	client := p.client.Load()
	if f.listening.Load() == client {
		return nil
	}
	ctx, cancel := p.bound(ctx)
	defer cancel()
	m, err := f.m.open(ctx)
	if err == nil {
		err = p.ready(ctx)
	}
	if err != nil {
		return err
	}
	// A listener that the client failed to add may be added later all the same.
	number := f.listener.Add(1)
	tell := func(kind driver.EventKind) hz.EntryNotifiedHandler {
		return func(e *hz.EntryNotified) {
			if event, ok := eventOf(kind, e); ok && f.listener.Load() == number {
				f.tell(event)
			}
		}
	}
	put, cleared := tell(driver.EventPut), tell(driver.EventCleared)
	_, err = m.AddListener(ctx, hz.MapListener{
		EntryAdded:   put,
		EntryUpdated: put,
		EntryMerged:  put,
		EntryLoaded:  put,
		EntryRemoved: tell(driver.EventRemoved),
		EntryExpired: tell(driver.EventExpired),
		EntryEvicted: tell(driver.EventEvicted),
		MapCleared:   cleared,
		MapEvicted:   cleared,
	}, true)
	if err != nil {
		f.listener.Add(1)
		return readError(ctx, err)
	}
	f.listening.Store(client)
	return nil
}

// eventOf translates an event; ok is false for what is not a record.
func eventOf(kind driver.EventKind, e *hz.EntryNotified) (_ driver.Event, ok bool) {
	event := driver.Event{Kind: kind}
	if kind == driver.EventCleared {
		return event, true
	}
	event.Key, ok = e.Key.(string)
	if !ok || isProbe(event.Key) {
		return event, false
	}
	event.Record, _ = e.Value.([]byte)
	event.Old, _ = e.OldValue.([]byte)
	return event, true
}

// signalGap notes that events may have been lost. It does not block.
func (p *Provider) signalGap() { p.gap.signal() }

// listenerDelay is how long after a connection was opened the map's listeners are
// certainly added to it.
const listenerDelay = 2 * time.Second

// reportGaps tells all watchers of lost events: when it is noticed, and again when
// listeners that may just be being added have been.
func (p *Provider) reportGaps() {
	var again <-chan time.Time
	for {
		select {
		case <-p.life.Done():
			return
		case <-p.gap:
			again = time.After(listenerDelay)
		case <-again:
			again = nil
		}
		p.mu.Lock()
		feeds := slices.Collect(maps.Values(p.feeds))
		p.mu.Unlock()
		for _, f := range feeds {
			if !p.listenAgain(f) {
				again = time.After(listenerDelay)
			}
			f.tell(driver.Event{Kind: driver.EventGap})
		}
	}
}

// listenAgain adds the listener that was lost with a client, or with the connection of
// a client that has only one. With more connections the client does that itself.
func (p *Provider) listenAgain(f *feed) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if list := f.list.Load(); list == nil || len(*list) == 0 {
		return true
	}
	return p.listen(p.life, f) == nil
}
