package jcache

import (
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// Statistics is what the operations of this process on a cache did while they were counted. It is
// a copy that does not change. The views of one cache are counted together.
//
// What counts as what is the table of JSR-107: Get, GetAll, All, the operations that return or
// compare an old value, PutIfAbsent, Replace and processors are a hit or a miss for each
// entry; Put, PutAll, Remove, RemoveKeys, RemoveAll, ContainsKey and Clear are neither. An entry
// that has expired is not there. An operation that returns an error is not counted, nor is a
// registered processor that is executed in another process. What a policy of this package
// lets expire at once is not looked up before, and counts as if nothing had been there.
//
// JSR-107: CacheStatisticsMXBean. What a provider evicts or expires is in its own numbers:
// CacheManager.Measures.
type Statistics struct {
	// Hits and Misses are how often a live entry was found, and how often not.
	Hits, Misses int64
	// Puts is how often a value was stored, Removals how often an entry was removed by an operation.
	Puts, Removals int64
	// AverageGet, AveragePut and AverageRemove are mean times, each of a random sample of the
	// operations on single entries. Zero: none was taken yet.
	AverageGet, AveragePut, AverageRemove time.Duration
}

// Gets returns Hits and Misses.
func (s Statistics) Gets() int64 { return s.Hits + s.Misses }

// HitRatio returns the part of the gets that were hits, from 0 to 1. It is 0 if there were none.
func (s Statistics) HitRatio() float64 { return ratio(s.Hits, s.Gets()) }

// MissRatio returns the part of the gets that were misses, from 0 to 1. It is 0 if there were none.
func (s Statistics) MissRatio() float64 { return ratio(s.Misses, s.Gets()) }

func ratio(n, of int64) float64 {
	if of == 0 {
		return 0
	}
	return float64(n) / float64(of)
}

// Statistics returns what was counted so far. It is there for a closed cache, too.
func (c *Cache[K, V]) Statistics() Statistics {
	n := c.store.Counts()
	return Statistics{
		Hits: n.Hits, Misses: n.Misses, Puts: n.Puts, Removals: n.Removals,
		AverageGet: mean(n.GetTimes), AveragePut: mean(n.PutTimes), AverageRemove: mean(n.RemovalTimes),
	}
}

func mean(t engine.Times) time.Duration {
	if t.N == 0 {
		return 0
	}
	return t.Total / time.Duration(t.N)
}

// ResetStatistics sets what was counted to zero. Operations that are in progress count before or
// after it.
//
// JSR-107: CacheStatisticsMXBean.clear.
func (c *Cache[K, V]) ResetStatistics() { c.store.ResetCounts() }

// EnableStatistics says whether the operations of a cache are counted from now on. What was counted
// before stays. The name must be that of an open cache: others match ErrCacheNotFound.
//
// JSR-107: CacheManager.enableStatistics.
func (m *CacheManager) EnableStatistics(name string, on bool) error {
	if m.Closed() {
		return m.fail("enable statistics", name, ErrClosed)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	s := m.slots[name]
	if s == nil || s.cache == nil || s.cache.base().store.Closed() {
		return m.fail("enable statistics", name, ErrCacheNotFound)
	}
	s.cache.base().store.Count(on)
	return nil
}

// CacheInfo describes an open cache.
//
// JSR-107: CacheMXBean.
type CacheInfo struct {
	// Name is that of the cache.
	Name string
	// KeyType and ValueType are its K and V.
	KeyType, ValueType reflect.Type
	// StatisticsEnabled reports whether operations are counted, and Statistics is what was.
	StatisticsEnabled bool
	Statistics        Statistics
}

// Caches describes the open caches, sorted by name, but for those whose names begin with an
// underscore. A closed manager has none.
func (m *CacheManager) Caches() []CacheInfo {
	m.mu.Lock()
	defer m.mu.Unlock()
	var infos []CacheInfo
	for name, s := range m.slots {
		if s.cache != nil && name[0] != '_' && !s.cache.base().store.Closed() {
			infos = append(infos, s.cache.info())
		}
	}
	slices.SortFunc(infos, func(a, b CacheInfo) int { return strings.Compare(a.Name, b.Name) })
	return infos
}

func (c *Cache[K, V]) info() CacheInfo {
	return CacheInfo{
		Name: c.name, KeyType: reflect.TypeFor[K](), ValueType: reflect.TypeFor[V](),
		StatisticsEnabled: c.store.Counting(), Statistics: c.Statistics(),
	}
}
