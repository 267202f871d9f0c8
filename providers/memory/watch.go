package memory

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// watchers are told of changes while the shard is locked, which is what keeps the
// events of a key in order.
type watchers struct {
	list atomic.Pointer[[]*watcher]
	mu   sync.Mutex // held to change list
}

type watcher struct {
	mu      sync.Mutex // held while on runs
	on      func(driver.Event)
	stopped bool
}

func (w *watchers) tell(e driver.Event) {
	list := w.list.Load()
	if list == nil {
		return
	}
	for _, one := range *list {
		one.mu.Lock()
		if !one.stopped {
			one.on(e)
		}
		one.mu.Unlock()
	}
}

func (w *watchers) change(edit func([]*watcher) []*watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var list []*watcher
	if old := w.list.Load(); old != nil {
		list = slices.Clone(*old)
	}
	list = edit(list)
	w.list.Store(&list)
}

// Watch implements driver.Watcher.
func (c *cache) Watch(_ context.Context, on func(driver.Event)) (stop func(), err error) {
	w := &watcher{on: on}
	c.watchers.change(func(list []*watcher) []*watcher { return append(list, w) })
	return func() {
		c.watchers.change(func(list []*watcher) []*watcher {
			return slices.DeleteFunc(list, func(other *watcher) bool { return other == w })
		})
		w.mu.Lock()
		defer w.mu.Unlock()
		w.stopped = true
	}, nil
}
