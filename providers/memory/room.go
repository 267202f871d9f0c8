package memory

import (
	"math/rand/v2"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// reserve counts entries and bytes that are about to be stored. It refuses what
// would pass a bound, if the cache rejects rather than evicts.
func (c *cache) reserve(entries, bytes int64) bool {
	n, size := c.entries.Add(entries), c.bytes.Add(bytes)
	if c.provider.opts.WhenFull == Reject && (entries > 0 || bytes > 0) && c.over(n, size) {
		c.entries.Add(-entries)
		c.bytes.Add(-bytes)
		return false
	}
	return true
}

func (c *cache) over(entries, bytes int64) bool {
	o := c.provider.opts
	return o.MaxEntries > 0 && entries > o.MaxEntries || o.MaxBytes > 0 && bytes > o.MaxBytes
}

// makeRoom evicts until the bounds hold. It spares the key that was just written
// while there is another one.
func (c *cache) makeRoom(written string) {
	for c.over(c.entries.Load(), c.bytes.Load()) {
		start := rand.IntN(shardCount)
		evicted := false
		for i := 0; i < shardCount && !evicted; i++ {
			evicted = c.evictFrom(&c.shards[(start+i)%shardCount], written)
		}
		if !evicted {
			return
		}
	}
}

const sampleSize = 8

// evictFrom drops the least recently used of a few entries, which the random order
// of a map's iteration picks.
func (c *cache) evictFrom(s *shard, spare string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	var victim *entry
	seen := 0
	for _, e := range s.entries {
		if e.key == spare {
			continue
		}
		if e.dead() {
			c.drop(s, e, driver.EventExpired)
			return true
		}
		if victim == nil || e.used.Load() < victim.used.Load() {
			victim = e
		}
		if seen++; seen == sampleSize {
			break
		}
	}
	if victim == nil {
		return false
	}
	c.drop(s, victim, driver.EventEvicted)
	return true
}
