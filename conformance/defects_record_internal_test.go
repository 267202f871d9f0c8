package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// recordDefects lose or change single records, or return the wrong errors.
var recordDefects = []defect{
	{"a buffer that is used again", "put/overwrites", func(b *broken) {
		var mu sync.Mutex
		buffer := make([]byte, 0, 64)
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if found && len(item.Record) <= 64 {
				mu.Lock()
				defer mu.Unlock()
				buffer = append(buffer[:0], item.Record...)
				item.Record = buffer
			}
			return item, found, err
		}
	}},
	{"a record that is changed by the driver", "put/overwrites", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			err := b.Cache.Put(ctx, key, bytes.Clone(record), deadline)
			clear(record)
			return err
		}
	}},
	{"a removal of nothing that is an error", "get/absent", func(b *broken) {
		b.delete = func(ctx context.Context, key string) error {
			if _, found, _ := b.Cache.Get(ctx, key); !found {
				return errors.New("not found")
			}
			return b.Cache.Delete(ctx, key)
		}
	}},
	{"keys in lower case", "put/any key", func(b *broken) {
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			return b.Cache.Get(ctx, strings.ToLower(key))
		}
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			return b.Cache.Put(ctx, strings.ToLower(key), record, deadline)
		}
	}},
	{"keys that are cut off", "put/any key", func(b *broken) {
		cut := func(key string) string { return key[:min(len(key), 250)] }
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) { return b.Cache.Get(ctx, cut(key)) }
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			return b.Cache.Put(ctx, cut(key), record, deadline)
		}
	}},
	{"records that are texts", "put/any record", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			text := bytes.ToValidUTF8(record[driver.WriteIDBytes:], []byte("?"))
			return b.Cache.Put(ctx, key, append(bytes.Clone(record[:driver.WriteIDBytes]), text...), deadline)
		}
	}},
	{"a name that is not looked at", "names are separate", func(b *broken) {
		one, _ := b.provider.OpenCache(context.Background(), "one", driver.CacheOptions{})
		b.get, b.put = one.Get, one.Put
	}},
	{"information that changes", "info", func(b *broken) {
		info, n := b.info(), 0
		b.info = func() driver.Info { n++; info.MaxRecordBytes = 1000 + n; return info }
	}},
	{"an error of a write that was applied", "context/a write whose context ends", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			err := b.Cache.Put(ctx, key, record, deadline)
			if ctx.Err() != nil {
				return fmt.Errorf("%w: %w", driver.ErrUnavailable, ctx.Err())
			}
			return err
		}
	}},
	{"an unknown outcome that hides the context's error", "context/", func(b *broken) {
		b.put = func(ctx context.Context, key string, record []byte, deadline time.Time) error {
			if ctx.Err() != nil {
				return driver.ErrIndeterminate
			}
			return b.Cache.Put(ctx, key, record, deadline)
		}
	}},
	{"a context that is ignored", "context/a call returns", func(b *broken) {
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			if d, ok := ctx.Deadline(); ok && time.Until(d) < time.Second {
				<-time.After(lateAfter + time.Second)
			}
			return b.Cache.Get(ctx, key)
		}
	}},
	{"a key in an error", "context/", func(b *broken) {
		b.delete = func(ctx context.Context, key string) error {
			if ctx.Err() != nil {
				return fmt.Errorf("delete %s: %w", key, ctx.Err())
			}
			return b.Cache.Delete(ctx, key)
		}
	}},
}
