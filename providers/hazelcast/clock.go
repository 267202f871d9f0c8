package hazelcast

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	"github.com/hazelcast/hazelcast-go-client/types"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Members do not tell the time. But of an entry they tell when it expires, which is when they stored it, by
// their own clock and to a second, and its time to live.

const (
	// clockEvery is how often members are asked, and clockSoon how long to wait for a key of each, which opening the first
	// cache finds.
	clockEvery = time.Minute
	clockSoon  = 2 * time.Second
)

// clocks are by how much those of the members are ahead of this process's, by their addresses.
type clocks struct {
	mu    sync.Mutex
	ahead map[string]time.Duration
}

// compareClocks compares the members' clocks with this process's, now and then.
func (p *Provider) compareClocks() {
	next := clockSoon
	for {
		select {
		case <-time.After(next):
		case <-p.life.Done():
			return
		}
		next = clockSoon
		if keys := p.directory.each(&p.members); len(keys) > 0 {
			p.askClocks(keys)
			next = clockEvery
		}
	}
}

// askClocks asks the members whose keys are given.
func (p *Provider) askClocks(keys map[string]string) {
	ctx, cancel := context.WithTimeout(p.life, p.plan.requestTimeout)
	defer cancel()
	ahead := make(map[string]time.Duration)
	for addr, key := range keys {
		if d, ok := p.askClock(ctx, key); ok {
			ahead[addr] = d
		}
	}
	p.clocks.mu.Lock()
	defer p.clocks.mu.Unlock()
	p.clocks.ahead = ahead
}

// askClock returns by how much the clock is ahead of the member that has a key.
func (p *Provider) askClock(ctx context.Context, key string) (ahead time.Duration, ok bool) {
	began := time.Now()
	if p.locks.write(ctx, func(ctx context.Context, m *hz.Map) error {
		return m.SetWithTTL(ctx, key, []byte("probe"), strayTTL)
	}) != nil {
		return 0, false
	}
	between := began.Add(time.Since(began) / 2)
	var view *types.SimpleEntryView
	if err := p.locks.read(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		view, err = m.GetEntryView(ctx, key)
		return err
	}); err != nil || view == nil {
		return 0, false
	}
	stored := time.UnixMilli(view.ExpirationTime - view.TTL)
	return stored.Add(500 * time.Millisecond).Sub(between).Round(time.Second), true // it was cut to a second
}

// servers returns the members.
func (p *Provider) servers() (all []driver.Server) {
	p.clocks.mu.Lock()
	defer p.clocks.mu.Unlock()
	for _, addr := range slices.Sorted(maps.Keys(p.clocks.ahead)) {
		all = append(all, driver.Server{Name: addr, Ahead: p.clocks.ahead[addr]})
	}
	return all
}
