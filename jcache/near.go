package jcache

import (
	"context"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A NearCache keeps copies of a cache's records in this process, so that reading them again costs no
// round trip. Package jcache/near has one; a program that does not use it does not link it.
type NearCache interface {
	// Open puts copies before an open cache of a driver, of which it uses the optional interfaces that features has.
	// Closing the result closes both.
	Open(ctx context.Context, cache driver.Cache, features driver.Features) (NearRecords, error)
}

// NearRecords are the records of a cache and copies of some of them. As a driver's cache it is the one
// behind it: it answers with what is stored, but for the batches of BatchGetter, and drops the copies of what it
// writes.
type NearRecords interface {
	driver.Cache
	// Features are the optional interfaces of the cache behind it.
	Features() driver.Features
	// Copy returns the copy of a record, if there is one that is young enough, be its deadline over or not.
	Copy(key string) (item driver.Item, ok bool)
	// Statistics returns what the copies were good for.
	Statistics() NearStatistics
}

// NearStatistics are numbers of the near cache of one cache since it was opened.
type NearStatistics struct {
	// Hits and Misses are the reads that needed no round trip, and those that did.
	Hits, Misses uint64
	// Invalidations is how often the copy of a key was dropped because the key was changed or may have
	// been, and Flushes how often all were.
	Invalidations, Flushes uint64
	// Entries is how many copies there are, and Bytes the memory that is set aside for them.
	Entries int
	Bytes   int64
}

// HitRatio is the part of the reads that needed no round trip. It is zero before the first read.
func (s NearStatistics) HitRatio() float64 {
	if s.Hits == 0 {
		return 0
	}
	return float64(s.Hits) / float64(s.Hits+s.Misses)
}

// NearStatistics returns the numbers of the cache's near cache. ok is false if it has none.
func (c *Cache[K, V]) NearStatistics() (s NearStatistics, ok bool) {
	near, ok := c.store.Near().(NearRecords)
	if !ok {
		return s, false
	}
	return near.Statistics(), true
}
