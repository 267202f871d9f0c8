package memory

import (
	"errors"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// entryCost is what an entry takes of the memory beyond its key and record: itself, its
// place in the map, in the queue of deadlines and in the order of eviction, and what the
// allocator rounds up. A test compares it with the process.
const entryCost = 208

func costOf(key string, record []byte) int64 {
	return int64(len(key)) + int64(len(record)) + entryCost
}

func (e *entry) cost() int64 { return costOf(e.key, e.record) }

// use notes that somebody asked for an entry.
func (c *cache) use(e *entry) {
	if c.bounded() && !e.read.Load() {
		e.read.Store(true)
	}
}

// again makes the bounds hold after a write of key that ended with err. It reports whether the
// write is worth another try, because it found no room and what had expired has made some.
func (c *cache) again(key string, err error) bool {
	switch {
	case !c.bounded():
	case err == nil && c.provider.opts.WhenFull == Evict:
		c.makeRoom(key)
	case errors.Is(err, driver.ErrFull):
		return c.reclaim()
	}
	return false
}

// reserve counts an entry that is about to be stored: how many entries more there are, and
// the bytes of it besides those of the one in its place, which are negative. It refuses
// what is more than the cache can hold, and what would pass a bound if the cache rejects rather
// than evicts.
func (c *cache) reserve(entries, instead, cost int64) error {
	o := &c.provider.opts
	if o.MaxBytes > 0 && cost > o.MaxBytes {
		return fmt.Errorf("%w: an entry that counts %d bytes with its key, and maxBytes is %d", driver.ErrTooLarge, cost, o.MaxBytes)
	}
	bytes := instead + cost
	if o.WhenFull == Reject && (entries > 0 || bytes > 0) {
		c.growth.Lock() // what is refused is never counted, not even for a moment
		defer c.growth.Unlock()
		if c.over(c.entries.Load()+entries, c.bytes.Load()+bytes) {
			return driver.ErrFull
		}
	}
	c.entries.Add(entries)
	c.bytes.Add(bytes)
	return nil
}

// release takes a dropped entry out of the accounts.
func (c *cache) release(e *entry) {
	c.entries.Add(-1)
	c.bytes.Add(-e.cost())
	if e.turn != nil {
		c.order.remove(e)
	}
}

func (c *cache) over(entries, bytes int64) bool {
	o := &c.provider.opts
	return o.MaxEntries > 0 && entries > o.MaxEntries || o.MaxBytes > 0 && bytes > o.MaxBytes
}

// reclaim drops what has expired, and reports whether that has made room.
func (c *cache) reclaim() bool {
	now, next := time.Now().UnixMicro(), c.next.Load()
	if next == 0 || next > now {
		return false
	}
	return c.sweep(now) > 0
}

// makeRoom evicts until the bounds hold, first what has expired. It spares the key that was
// just written.
func (c *cache) makeRoom(written string) {
	for c.over(c.entries.Load(), c.bytes.Load()) {
		if c.reclaim() {
			continue
		}
		e := c.order.victim(written)
		if e == nil {
			return
		}
		s := c.shard(e.key)
		s.mu.Lock()
		if s.entries[e.key] == e { // nobody else has dropped it
			c.drop(s, e, driver.EventEvicted)
		}
		s.mu.Unlock()
	}
}
