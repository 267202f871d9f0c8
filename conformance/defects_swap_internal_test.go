package conformance

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// swapDefects break swaps, the tokens that they compare, and exchanges.
var swapDefects = []defect{
	{"a swap that does not compare", "race/no increment is lost", func(b *broken) {
		b.swap = func(ctx context.Context, key string, _ driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			if record == nil {
				return true, nil, b.Cache.Delete(ctx, key)
			}
			return true, nil, b.Cache.Put(ctx, key, record, deadline)
		}
	}},
	{"a swap that compares and then writes", "race/one of many", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if err != nil || found && item.Token.N != old.N || !found && !old.IsZero() {
				return false, nil, err
			}
			<-time.After(time.Millisecond) // where another client comes in between
			if record == nil {
				return true, nil, b.Cache.Delete(ctx, key)
			}
			return true, nil, b.Cache.Put(ctx, key, record, deadline)
		}
	}},
	{"a zero token that demands nothing", "swap/zero token on a present key", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			if old.IsZero() && record != nil {
				return true, nil, b.Cache.Put(ctx, key, record, deadline)
			}
			return b.Cache.Swap(ctx, key, old, record, deadline)
		}
	}},
	{"a conflict that is an error", "swap/stale token", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			swapped, _, err := b.Cache.Swap(ctx, key, old, record, deadline)
			if err == nil && !swapped {
				err = errors.New("conflict")
			}
			return swapped, nil, err
		}
	}},
	{"a conflict that shows another item than the present one", "swap/zero token on a present", func(b *broken) {
		b.swap = func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
			swapped, current, err := b.Cache.Swap(ctx, key, old, record, deadline)
			if current != nil {
				current.Record = bytes.Clone(record)
			}
			return swapped, current, err
		}
	}},
	{"a token of the content", "token/after put and put back", func(b *broken) {
		token := func(item driver.Item) driver.Token { return driver.Token{B: item.Record[driver.WriteIDBytes:]} }
		b.breakTokens(token)
	}},
	{"a token that is used again", "token/never comes back", func(b *broken) {
		b.breakTokens(func(item driver.Item) driver.Token { return driver.Token{N: item.Token.N%16 + 1} })
	}},
	{"a zero token for a record", "put/", func(b *broken) {
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			item.Token = driver.Token{}
			return item, found, err
		}
	}},
	{"an exchange in two steps", "exchange/each record is returned once", func(b *broken) {
		b.f.Exchanger = exchangeFunc(func(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			if err != nil {
				return item, found, err
			}
			<-time.After(100 * time.Microsecond) // where another client comes in between
			if record == nil {
				return item, found, b.Cache.Delete(ctx, key)
			}
			return item, found, b.Cache.Put(ctx, key, record, deadline)
		})
	}},
	{"an exchange that returns what it stored", "exchange/returns the previous item", func(b *broken) {
		exchange := b.f.Exchanger
		b.f.Exchanger = exchangeFunc(func(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
			item, existed, err := exchange.Exchange(ctx, key, record, deadline)
			if record != nil {
				item.Record = record
			}
			return item, existed, err
		})
	}},
}
