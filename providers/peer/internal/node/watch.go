package node

import (
	"context"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// watchers are those of this process who want to know of changes. What happens at a
// partition's primary here they are told at once; what happens elsewhere comes by the
// feeds.
type watchers struct {
	mu   sync.Mutex
	list atomic.Pointer[map[string][]*watcher] // by cache
}

type watcher struct {
	keysOnly bool
	agreed   chan struct{} // closed when every member has agreed to tell of changes

	mu      sync.Mutex // held while on runs
	on      func(Event)
	running bool // from agreed until it is stopped
	stopped bool
}

// An Event is a change of a record, or a gap.
type Event struct {
	part.Event
	// Gap: changes were missed; any key may have changed.
	Gap bool
}

func (w *watchers) init() { w.list.Store(&map[string][]*watcher{}) }

func (w *watchers) of(cache string) []*watcher { return (*w.list.Load())[cache] }

// change edits the watchers of a cache.
func (w *watchers) change(cache string, edit func([]*watcher) []*watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := maps.Clone(*w.list.Load())
	if list := edit(slices.Clone(all[cache])); len(list) > 0 {
		all[cache] = list
	} else {
		delete(all, cache)
	}
	w.list.Store(&all)
}

func (w *watchers) tell(cache string, e Event) {
	for _, one := range w.of(cache) {
		one.tell(e)
	}
}

// gap tells everybody that changes may have been missed.
func (w *watchers) gap() {
	for _, list := range *w.list.Load() {
		for _, one := range list {
			one.tell(Event{Gap: true})
		}
	}
}

// wanted returns the caches that are watched, and of each whether the keys suffice; and
// who is waiting for the members to agree.
func (w *watchers) wanted() (caches map[string]bool, waiting []*watcher) {
	caches = make(map[string]bool)
	for cache, list := range *w.list.Load() {
		keysOnly := true
		for _, one := range list {
			keysOnly = keysOnly && one.keysOnly
			if one.waits() {
				waiting = append(waiting, one)
			}
		}
		caches[cache] = keysOnly
	}
	return caches, waiting
}

func (w *watcher) tell(e Event) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.running {
		w.on(e)
	}
}

func (w *watcher) waits() bool {
	select {
	case <-w.agreed:
		return false
	default:
		return true
	}
}

// begin is called once, when every member has agreed.
func (w *watcher) begin() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running = !w.stopped
	close(w.agreed)
}

// stop returns when on does not run, and will not any more.
func (w *watcher) stop() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.running, w.stopped = false, true
}

// Watch calls on for each change of a cache, wherever it is made, from now until stop is
// called. Changes of one key come in order and one at a time. With keysOnly the events
// from other members have no records. When stop returns, on is not running and will not
// be called again.
func (n *Node) Watch(ctx context.Context, cache string, keysOnly bool, on func(Event)) (stop func(), err error) {
	ctx, cancel := n.limit(ctx)
	defer cancel()
	w := &watcher{keysOnly: keysOnly, on: on, agreed: make(chan struct{})}
	n.watchers.change(cache, func(list []*watcher) []*watcher { return append(list, w) })
	stop = func() {
		n.watchers.change(cache, func(list []*watcher) []*watcher {
			return slices.DeleteFunc(list, func(other *watcher) bool { return other == w })
		})
		w.stop()
	}
	if l, _ := n.now(); l != nil {
		l.feeds.renewNow() // and another life begins with it
	}
	select {
	case <-w.agreed:
		return stop, nil
	case <-ctx.Done():
	case <-n.ctx.Done():
	}
	stop()
	return nil, ended(false, n.over(ctx), nil)
}
