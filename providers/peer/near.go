package peer

import (
	"bytes"
	"context"
	"hash/maphash"
	"sync"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A near keeps records that a client has read, so that reading them again costs no round
// trip. It drops a record when the primary tells of a change, or when this process has
// asked for one, and all of a cache when changes may have been missed. While a member has
// not confirmed that it tells, nothing is taken from it.
type near struct {
	node *node.Node
	kept *otter.Cache[nearKey, driver.Item]
	seed maphash.Seed
	// changes counts the changes of the keys of each stripe. A record is not kept if
	// there was one while it was read.
	changes [256]stripe

	hits, misses, invalidations atomic.Uint64

	mu     sync.Mutex // held while a cache is opened
	caches map[string]*nearCache
}

// A nearKey is a key in one generation of its cache. Of earlier ones nothing is found any
// more, and otter drops it in time.
type nearKey struct {
	cache      string
	generation uint64
	key        string
}

type stripe struct {
	mu sync.Mutex
	n  uint64
}

// A nearCache is the part of one cache. The nil nearCache keeps nothing.
type nearCache struct {
	*near
	name       string
	generation atomic.Uint64
}

// nearEntry is about what an entry takes besides its key and its record, in bytes.
const nearEntry = 200

// newNear returns a near that keeps up to so many bytes.
func newNear(n *node.Node, bytes int64) (*near, error) {
	kept, err := otter.New(&otter.Options[nearKey, driver.Item]{
		MaximumWeight: uint64(bytes),
		Weigher:       func(k nearKey, item driver.Item) uint32 { return uint32(nearEntry + len(k.key) + len(item.Record)) },
	})
	if err != nil {
		return nil, err
	}
	return &near{node: n, kept: kept, seed: maphash.MakeSeed(), caches: make(map[string]*nearCache)}, nil
}

// open returns the part of a cache, once the members tell of its changes. They do so for
// as long as the process runs.
func (n *near) open(ctx context.Context, name string) (*nearCache, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if c := n.caches[name]; c != nil {
		return c, nil
	}
	c := &nearCache{near: n, name: name}
	if _, err := n.node.Watch(ctx, name, true, c.told); err != nil {
		return nil, err
	}
	n.caches[name] = c
	return c, nil
}

func (n *near) close() {
	n.kept.InvalidateAll()
	n.kept.StopAllGoroutines()
}

// told takes in a change that a primary tells of.
func (c *nearCache) told(e node.Event) {
	if e.Gap || e.Kind == part.ItemClear {
		c.invalidateAll()
		return
	}
	c.invalidate(e.Key)
}

func (c *nearCache) stripe(key string) *stripe {
	return &c.changes[maphash.String(c.seed, key)%uint64(len(c.changes))]
}

func (c *nearCache) key(key string) nearKey { return nearKey{c.name, c.generation.Load(), key} }

// get returns a record that is kept and may be used.
func (c *nearCache) get(key string) (driver.Item, bool) {
	if c == nil {
		return driver.Item{}, false
	}
	item, ok := c.kept.GetIfPresent(c.key(key))
	if !ok || !item.Deadline.IsZero() && !time.Now().Before(item.Deadline) || !c.node.Fresh() {
		c.misses.Add(1)
		return driver.Item{}, false
	}
	c.hits.Add(1)
	return item, true
}

// A reading is a key while it is being read.
type reading struct {
	key     nearKey
	changes uint64
}

// begin must be called before a key is read.
func (c *nearCache) begin(key string) reading {
	if c == nil {
		return reading{}
	}
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return reading{c.key(key), s.n}
}

// keep keeps what was read, unless it may have changed since.
func (c *nearCache) keep(r reading, item driver.Item) {
	if c == nil {
		return
	}
	item.Record = bytes.Clone(item.Record) // it may be a small part of a message
	s := c.stripe(r.key.key)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.n == r.changes {
		c.kept.Set(r.key, item)
	}
}

// invalidate drops a key that was changed, or may have been.
func (c *nearCache) invalidate(key string) {
	if c == nil {
		return
	}
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n++
	if _, was := c.kept.Invalidate(c.key(key)); was {
		c.invalidations.Add(1)
	}
}

// invalidateAll drops everything.
func (c *nearCache) invalidateAll() {
	if c == nil {
		return
	}
	c.generation.Add(1)
	c.invalidations.Add(1)
}

// NearStats describes the records that a client keeps near.
type NearStats struct {
	// Hits and Misses are the reads that needed no round trip, and those that did.
	Hits, Misses uint64
	// Invalidations is how often a record was dropped because it had changed, or all
	// records of a cache were because changes may have been missed.
	Invalidations uint64
	// Bytes is about the memory in use.
	Bytes uint64
}

// NearStats returns numbers of the records near this process; zeros if there are none.
func (p *Provider) NearStats() NearStats {
	n := p.near
	if n == nil {
		return NearStats{}
	}
	return NearStats{Hits: n.hits.Load(), Misses: n.misses.Load(), Invalidations: n.invalidations.Load(), Bytes: n.kept.WeightedSize()}
}
