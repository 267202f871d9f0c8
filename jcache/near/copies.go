package near

import (
	"context"
	"encoding/binary"
	"hash/maphash"
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"

	"github.com/allegro/bigcache/v3"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// copies are the copies of one cache. What is kept of a record is
//
//	generation  8 bytes: of all copies, when it was begun to read
//	began       8 bytes: when it was begun to read, in nanoseconds since the copies were made
//	deadline    8 bytes: microseconds since 1970 of driver.Item; 0: none
//	token       8 bytes, and 2 for the length of the rest, and the rest
//	record      the rest
type copies struct {
	kept    *bigcache.BigCache
	largest int           // copy that is kept
	maxAge  time.Duration // of a copy
	fresh   driver.Freshness
	began   time.Time

	generation atomic.Uint64 // raised when all copies are dropped
	seed       maphash.Seed
	stripes    [1024]stripe

	hits, misses, invalidations, flushes atomic.Uint64
}

// A stripe counts the changes of some keys. What was read before one of them is not kept after it.
type stripe struct {
	mu      sync.Mutex
	changes uint64
}

const (
	copyHead = 8 + 8 + 8 + 8 + 2
	// mostShards is how many parts there are at most, each with a lock and at least a MiB.
	mostShards = 16
	// lifeWindow is after how long bigcache drops something of itself.
	lifeWindow = 10 * 365 * 24 * time.Hour
)

func newCopies(o Options, fresh driver.Freshness) (*copies, error) {
	size := int((o.MaxBytes + mib - 1) / mib)
	shards := min(mostShards, 1<<(bits.Len(uint(size))-1))
	kept, err := bigcache.New(context.Background(), bigcache.Config{
		Shards: shards, LifeWindow: lifeWindow, HardMaxCacheSize: size,
		MaxEntriesInWindow: 16 * shards, MaxEntrySize: 256, // what is allocated at once
	})
	if err != nil {
		return nil, err
	}
	// What is larger than half of a part may find no room, and have everything in it dropped.
	return &copies{kept: kept, largest: size * mib / shards / 2, maxAge: o.MaxAge, fresh: fresh, began: time.Now(), seed: maphash.MakeSeed()}, nil
}

func (c *copies) stripe(key string) *stripe {
	return &c.stripes[maphash.String(c.seed, key)%uint64(len(c.stripes))]
}

// get returns a copy that is young enough. Whether its deadline has passed is for those who know what a record is.
func (c *copies) get(key string) (item driver.Item, ok bool) {
	b, err := c.kept.Get(key)
	if err != nil || binary.LittleEndian.Uint64(b) != c.generation.Load() ||
		time.Since(c.began)-time.Duration(binary.LittleEndian.Uint64(b[8:])) > c.maxAge || c.fresh != nil && !c.fresh.Fresh() {
		c.misses.Add(1)
		return item, false
	}
	if deadline := int64(binary.LittleEndian.Uint64(b[16:])); deadline != 0 {
		item.Deadline = time.UnixMicro(deadline)
	}
	item.Token.N = binary.LittleEndian.Uint64(b[24:])
	record := copyHead + int(binary.LittleEndian.Uint16(b[32:]))
	if record > copyHead {
		item.Token.B = b[copyHead:record:record]
	}
	item.Record = b[record:]
	c.hits.Add(1)
	return item, true
}

// A reading is a key while it is being read.
type reading struct {
	generation, changes uint64
	began               time.Duration
}

// begin must be called before a key is read.
func (c *copies) begin(key string) reading {
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	return reading{generation: c.generation.Load(), changes: s.changes, began: time.Since(c.began)}
}

// keep keeps what was read, unless it may have been changed since.
func (c *copies) keep(r reading, key string, item driver.Item, found bool) {
	size := copyHead + len(item.Token.B) + len(item.Record)
	s := c.stripe(key)
	if !found || len(item.Token.B) > math.MaxUint16 || size+len(key)+bigcacheHead > c.largest {
		s.mu.Lock()
		defer s.mu.Unlock()
		_ = c.kept.Delete(key) // it may have none
		return
	}
	b := make([]byte, 0, size)
	b = binary.LittleEndian.AppendUint64(b, r.generation)
	b = binary.LittleEndian.AppendUint64(b, uint64(r.began))
	deadline := uint64(0)
	if !item.Deadline.IsZero() {
		deadline = uint64(item.Deadline.UnixMicro())
	}
	b = binary.LittleEndian.AppendUint64(b, deadline)
	b = binary.LittleEndian.AppendUint64(b, item.Token.N)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(item.Token.B)))
	b = append(append(b, item.Token.B...), item.Record...)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.changes == r.changes {
		_ = c.kept.Set(key, b) // without it, the next read costs a round trip
	}
}

// bigcacheHead is what bigcache adds to an entry, at most.
const bigcacheHead = 64

// told takes in a change.
func (c *copies) told(e driver.Event) {
	switch e.Kind {
	case driver.EventCleared, driver.EventGap:
		c.flush()
	default:
		c.invalidate(e.Key)
	}
}

// invalidate drops the copy of a key that was changed, or may have been.
func (c *copies) invalidate(key string) {
	s := c.stripe(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.changes++
	if c.kept.Delete(key) == nil {
		c.invalidations.Add(1)
	}
}

// flush drops all copies, and what is being read. Their memory is used again in time.
func (c *copies) flush() {
	c.generation.Add(1)
	c.flushes.Add(1)
}

func (c *copies) statistics() jcache.NearStatistics {
	return jcache.NearStatistics{
		Hits: c.hits.Load(), Misses: c.misses.Load(), Invalidations: c.invalidations.Load(), Flushes: c.flushes.Load(),
		Entries: c.kept.Len(), Bytes: int64(c.kept.Capacity()),
	}
}
