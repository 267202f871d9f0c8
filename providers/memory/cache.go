package memory

import (
	"container/heap"
	"context"
	"hash/maphash"
	"iter"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const shardCount = 64

// A cache is the records of one name, in shards that are locked one at a time.
type cache struct {
	provider *Provider
	seed     maphash.Seed
	shards   [shardCount]shard
	watchers watchers
	locks    locks

	versions atomic.Uint64 // last token given out, over all keys
	entries  atomic.Int64
	bytes    atomic.Int64
	growth   sync.Mutex // taken by writes that need room, where they may be refused
	order    order      // of a bounded cache
	next     earliest   // deadline
}

func newCache(p *Provider) *cache {
	c := &cache{provider: p, seed: maphash.MakeSeed()}
	for i := range c.shards {
		c.shards[i].entries = make(map[string]*entry)
	}
	return c
}

func (c *cache) shard(key string) *shard {
	return &c.shards[maphash.String(c.seed, key)%shardCount]
}

// Info implements driver.Cache.
func (c *cache) Info() driver.Info {
	return driver.Info{
		MaxRecordBytes: int(max(0, c.provider.opts.MaxBytes-entryCost)), // with the shortest key
		Evicts:         c.provider.opts.WhenFull == Evict && c.bounded(),
	}
}

func (c *cache) bounded() bool { return c.provider.opts.MaxEntries > 0 || c.provider.opts.MaxBytes > 0 }

// Unwrap implements driver.Unwrapper: it returns the *Provider.
func (c *cache) Unwrap() any { return c.provider }

// Placement implements driver.Locality.
func (c *cache) Placement(string) driver.Placement { return driver.Local }

// Close implements driver.Cache.
func (c *cache) Close() error { return nil }

// Get implements driver.Cache.
func (c *cache) Get(_ context.Context, key string) (driver.Item, bool, error) {
	s := c.shard(key)
	s.mu.RLock()
	defer s.mu.RUnlock()
	e := s.entries[key]
	if e == nil || e.dead() {
		return driver.Item{}, false, nil
	}
	c.use(e)
	return e.item(), true, nil
}

// Put implements driver.Cache.
func (c *cache) Put(_ context.Context, key string, record []byte, deadline time.Time) error {
	return c.set(key, record, deadline, nil)
}

// Delete implements driver.Cache.
func (c *cache) Delete(_ context.Context, key string) error {
	return c.set(key, nil, time.Time{}, nil)
}

// Swap implements driver.Cache.
func (c *cache) Swap(_ context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	var present *driver.Item
	swapped := false
	err := c.set(key, record, deadline, func(e *entry) bool {
		switch {
		case e == nil:
			swapped = old.IsZero()
		case e.version == old.N:
			swapped = true
		default:
			item := e.item()
			present = &item
		}
		return swapped
	})
	return swapped && err == nil, present, err
}

// Exchange implements driver.Exchanger.
func (c *cache) Exchange(_ context.Context, key string, record []byte, deadline time.Time) (previous driver.Item, existed bool, err error) {
	err = c.set(key, record, deadline, func(e *entry) bool {
		if existed = e != nil; existed {
			previous = e.item()
		}
		return true
	})
	return previous, existed, err
}

// set stores or removes (a nil record) under key what allow, shown the live entry
// or nil, agrees to. If there was no room it may be shown another one.
func (c *cache) set(key string, record []byte, deadline time.Time, allow func(*entry) bool) (err error) {
	s := c.shard(key)
	for again := true; again; again = c.again(key, err) {
		err = nil
		s.mu.Lock()
		e := c.live(s, key)
		switch {
		case allow != nil && !allow(e):
		case record != nil:
			err = c.store(s, e, key, record, deadline)
		case e != nil:
			c.drop(s, e, driver.EventRemoved)
		}
		s.mu.Unlock()
	}
	return err
}

// live returns the entry of a key, or nil, and drops it if it is dead; the shard is locked.
func (c *cache) live(s *shard, key string) *entry {
	e := s.entries[key]
	if e != nil && e.dead() {
		c.drop(s, e, driver.EventExpired)
		return nil
	}
	return e
}

// store writes a record; the shard is locked and e is the key's live entry or nil.
func (c *cache) store(s *shard, e *entry, key string, record []byte, deadline time.Time) error {
	record = clip(record)
	entries, bytes := int64(1), int64(0)
	var old []byte
	if e != nil {
		old, entries, bytes = e.record, 0, -e.cost()
	}
	if err := c.reserve(entries, bytes, costOf(key, record)); err != nil {
		return err
	}
	if e == nil {
		e = &entry{key: key}
		s.entries[key] = e
		if c.bounded() {
			c.order.add(e)
		}
	} else {
		c.use(e)
	}
	e.record, e.version = record, c.versions.Add(1)
	c.setDeadline(s, e, deadline)
	c.watchers.tell(driver.Event{Kind: driver.EventPut, Key: key, Record: record, Old: old})
	return nil
}

// clip frees the memory that an encoder reserved and did not use, if it is much.
func clip(record []byte) []byte {
	if cap(record)-len(record) > 32+len(record)/8 {
		return append(make([]byte, 0, len(record)), record...)
	}
	return record
}

// drop removes a present entry; the shard is locked.
func (c *cache) drop(s *shard, e *entry, why driver.EventKind) {
	delete(s.entries, e.key)
	if e.queued != 0 {
		heap.Remove(&s.queue, e.place)
	}
	c.release(e)
	c.watchers.tell(driver.Event{Kind: why, Key: e.key, Old: e.record})
}

// Touch implements driver.Toucher.
func (c *cache) Touch(_ context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e == nil || e.dead() || e.version != token.N {
		return false, nil
	}
	c.setDeadline(s, e, deadline)
	return true, nil
}

// GetBatch implements driver.BatchGetter.
func (c *cache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	items := make([]driver.Item, 0, len(keys))
	for _, key := range keys {
		if item, ok, _ := c.Get(ctx, key); ok { // Get has no errors
			item.Key = key
			items = append(items, item)
		}
	}
	return items, nil
}

// PutBatch implements driver.BatchPutter.
func (c *cache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	errs, failed := make([]error, len(entries)), false
	for i, e := range entries {
		errs[i] = c.Put(ctx, e.Key, e.Record, e.Deadline)
		failed = failed || errs[i] != nil
	}
	if !failed {
		return nil
	}
	return errs
}

// Scan implements driver.Scanner. It copies one shard at a time.
func (c *cache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		for i := range c.shards {
			for _, item := range c.shards[i].items() {
				if err := ctx.Err(); err != nil {
					yield(driver.Item{}, err)
					return
				}
				if !yield(item, nil) {
					return
				}
			}
		}
	}
}

// Clear implements driver.Clearer.
func (c *cache) Clear(context.Context) error {
	for i := range c.shards {
		s := &c.shards[i]
		s.mu.Lock()
		for _, e := range s.entries {
			c.release(e)
		}
		clear(s.entries)
		s.queue = nil
		s.mu.Unlock()
	}
	c.watchers.tell(driver.Event{Kind: driver.EventCleared})
	return nil
}

// Size implements driver.Sizer. It counts dead entries until they are swept.
func (c *cache) Size(context.Context) (int, error) { return int(c.entries.Load()), nil }
