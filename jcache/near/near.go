// Package near keeps copies of records in the memory of this process, so that reading them again costs no
// round trip. It works with every provider:
//
//	prices, err := jcache.CreateCache(ctx, manager, "prices", jcache.Options[string, Price]{
//		Near: near.Options{MaxBytes: 64 << 20},
//	})
//
// In a configuration file it is one line of a cache: nearCache="64MiB".
//
// # What a read may see
//
// What this process writes through the same cache is seen at once. What others write is seen as soon as the provider
// has told of it, if its changes can be watched, and otherwise when the copy is older than MaxAge. Nothing older is
// used in any case: a copy was read from the provider at most MaxAge ago. When events were lost, all copies are
// dropped; while a provider knows that it hears of no changes, none is used. What is read while a change of it is told
// is not kept. A record is never used past the deadline that it was read with.
//
// A deadline that others have moved without a write, as policies do that look at the last use, is not told: it is seen when the
// copy is older than MaxAge.
//
// Conditional operations and processors decide by what is stored, never by a copy.
//
// # Memory
//
// Copies are in a bigcache: a memory of a fixed size, in which what came first goes first. It is outside of what Go's
// collector looks at. Records larger than half of one of its parts, of which there are up to 16, are not kept.
//
// A policy that moves deadlines with each read writes with each read; copies then are of no use.
package near

import (
	"context"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Options configures the copies of one cache. The zero value has the defaults.
type Options struct {
	// MaxBytes is the memory of the copies; it is rounded up to whole MiB. Zero: 32 MiB.
	MaxBytes int64
	// MaxAge is how old a copy may be, counted from before it was read. Zero: a second, or 10 seconds where the
	// provider tells of changes.
	MaxAge time.Duration
}

// MostBytes is the largest MaxBytes.
const MostBytes = 1 << 40

const (
	mib             = 1 << 20
	defaultMaxBytes = 32 * mib
	defaultMaxAge   = time.Second
	watchedMaxAge   = 10 * time.Second
)

// Open implements jcache.NearCache. It watches the cache's changes, if it can, before it returns.
func (o Options) Open(ctx context.Context, cache driver.Cache, features driver.Features) (jcache.NearRecords, error) {
	if o.MaxBytes < 0 || o.MaxBytes > MostBytes || o.MaxAge < 0 {
		return nil, fmt.Errorf("%w: the memory of a near cache is from 0 to 1 TiB, and its age is not negative", jcache.ErrInvalid)
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = defaultMaxBytes
	}
	watch := func(context.Context, func(driver.Event)) (func(), error) { return func() {}, nil }
	age := defaultMaxAge
	switch {
	case features.KeyWatcher != nil:
		watch, age = features.KeyWatcher.WatchKeys, watchedMaxAge
	case features.Watcher != nil:
		watch, age = features.Watcher.Watch, watchedMaxAge
	}
	if o.MaxAge == 0 {
		o.MaxAge = age
	}
	copies, err := newCopies(o, features.Freshness)
	if err != nil {
		return nil, err
	}
	stop, err := watch(ctx, copies.told)
	if err != nil {
		return nil, err
	}
	return &records{Cache: cache, behind: features, copies: copies, stop: stop}, nil
}
