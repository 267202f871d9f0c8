// Package bigcache makes the stores of gocache that are a bigcache known to provider gocache:
//
//	import _ "github.com/keepsake-cache/keepsake/providers/gocache/bigcache"
//
// A bigcache keeps its entries in this process, in a memory of a fixed size, and drops those first
// that came first.
package bigcache

import (
	"context"
	"errors"
	"fmt"
	"math/bits"
	"time"

	"github.com/allegro/bigcache/v3"
	"github.com/eko/gocache/lib/v4/store"
	bigcachestore "github.com/eko/gocache/store/bigcache/v4"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/gocache"
)

func init() {
	gocache.RegisterStore(gocache.StoreType{Name: "bigcache", New: open})
}

const (
	mib = 1 << 20
	// mostShards is how many parts there are at most, each with a lock; each has a MiB at least. What is larger than half
	// of a part may find no room and have everything in it dropped.
	mostShards = 16
	// entryRoom is what an entry takes of its part besides the record: the longest key, and headers.
	entryRoom = 1 << 10
	// lifeWindow is after how long bigcache drops an entry of itself. Deadlines are kept by the provider.
	lifeWindow = 10 * 365 * 24 * time.Hour
)

func open(cfg gocache.StoreConfig) (gocache.Options, error) {
	size := int(cfg.MaxBytes / mib)
	shards := min(mostShards, 1<<(bits.Len(uint(size))-1))
	client, err := bigcache.New(context.Background(), bigcache.Config{
		Shards: shards, LifeWindow: lifeWindow, HardMaxCacheSize: size,
		MaxEntriesInWindow: 16 * shards, MaxEntrySize: 256, // what is allocated at once
	})
	if err != nil {
		return gocache.Options{}, fmt.Errorf("maxBytes: %w", err)
	}
	return gocache.Options{
		Store:          bigcachestore.NewBigcache(client),
		InProcess:      true,
		MaxRecordBytes: size*mib/shards/2 - entryRoom,
		Explain:        explain,
		Close:          client.Close,
	}, nil
}

// explain says what errors of bigcache mean. None of them is about what may have happened.
func explain(err error) error {
	if errors.Is(err, bigcache.ErrEntryNotFound) {
		return store.NotFoundWithCause(err)
	}
	return fmt.Errorf("%w: %w", driver.ErrTooLarge, err)
}
