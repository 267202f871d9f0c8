package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"iter"
	"math/bits"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// largestBatch is how many rows a statement reads or writes at most, and fullBatch how many
	// bytes of records it should write.
	largestBatch = 128
	fullBatch    = 1 << 20
	// firstPage and lastPage are how many rows the steps of a scan read: each twice as many as the
	// one before. sweep is how many a step of Clear removes.
	firstPage = 16
	lastPage  = 256
	sweep     = 1000
)

// GetBatch implements driver.BatchGetter.
func (c *cache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	items := make([]driver.Item, 0, len(keys))
	for some := range slices.Chunk(keys, largestBatch) {
		args := []any{c.name, c.provider.clock.now()}
		for _, key := range some {
			args = append(args, []byte(key))
		}
		n := 1 << bits.Len(uint(len(some)-1)) // so that there are few statements to prepare
		for range n - len(some) {
			args = append(args, args[2])
		}
		found, err := c.rows(ctx, c.provider.statements.batch(n), args)
		if err != nil {
			return nil, err
		}
		items = append(items, found...)
	}
	return items, nil
}

// rows returns the items that a statement selects.
func (c *cache) rows(ctx context.Context, text string, args []any) (items []driver.Item, err error) {
	err = c.provider.read(ctx, func(ctx context.Context, conn *stdsql.Conn) error {
		items = nil
		rows, err := conn.QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var entry, record []byte
			var version, deadline int64
			if err := rows.Scan(&entry, &record, &version, &deadline); err != nil {
				return err
			}
			items = append(items, c.item(string(entry), record, version, deadline))
		}
		return rows.Err()
	})
	return items, err
}

// PutBatch implements driver.BatchPutter. Rows are written in the order of their keys, so that
// two batches do not wait for each other.
func (c *cache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	errs := make([]error, len(entries))
	failed := false
	order := make([]int, 0, len(entries))
	for i, e := range entries {
		if errs[i] = c.check(e.Record); errs[i] == nil {
			order = append(order, i)
		} else {
			failed = true
		}
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(entries[i].Key, entries[j].Key) })
	for len(order) > 0 {
		n, size := 0, 0
		for n < len(order) && n < largestBatch && (n == 0 || size+len(entries[order[n]].Record) <= fullBatch) {
			size += len(entries[order[n]].Record)
			n++
		}
		var args []any
		for _, i := range order[:n] {
			args = append(args, c.row(entries[i].Key, entries[i].Record, entries[i].Deadline)...)
		}
		if _, err := c.provider.write(ctx, c.provider.statements.putMany(n), args...); err != nil {
			failed = true
			for _, i := range order[:n] {
				errs[i] = err
			}
		}
		order = order[n:]
	}
	if !failed {
		return nil
	}
	return errs
}

// Scan implements driver.Scanner. It reads a page after the other, in the order of the keys.
func (c *cache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		after := []byte{}
		for page := firstPage; ; page = min(2*page, lastPage) {
			items, err := c.rows(ctx, c.provider.statements.page, []any{c.name, after, c.provider.clock.now(), page})
			if err != nil {
				yield(driver.Item{}, err)
				return
			}
			for _, item := range items {
				if !yield(item, nil) {
					return
				}
			}
			if len(items) < page {
				return
			}
			after = []byte(items[len(items)-1].Key)
		}
	}
}

// Clear implements driver.Clearer. It goes through the keys in their order, and removes so many at
// a time that no other call waits for long.
func (c *cache) Clear(ctx context.Context) error {
	s, after, begun := c.provider.statements, []byte{}, false
	for {
		var last []byte
		err := c.provider.read(ctx, func(ctx context.Context, conn *stdsql.Conn) error {
			last = nil
			err := conn.QueryRowContext(ctx, s.last, c.name, after, sweep).Scan(&last)
			if errors.Is(err, stdsql.ErrNoRows) {
				return nil
			}
			return err
		})
		if err == nil && last == nil {
			return nil
		}
		if err == nil {
			_, err = c.provider.write(ctx, s.clear, c.name, after, last)
		}
		if err != nil {
			if begun && !errors.Is(err, driver.ErrIndeterminate) {
				return partly(ctx, err)
			}
			return err
		}
		after, begun = last, true
	}
}

// partly is the error of a Clear that has removed something, and then met an error.
func partly(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil {
		return fmt.Errorf("%w: a part is cleared: %w", driver.ErrIndeterminate, end)
	}
	return fmt.Errorf("%w: a part is cleared: %s", driver.ErrIndeterminate, err.Error())
}

// Size implements driver.Sizer. It counts what lives.
func (c *cache) Size(ctx context.Context) (n int, err error) {
	err = c.provider.read(ctx, func(ctx context.Context, conn *stdsql.Conn) error {
		return conn.QueryRowContext(ctx, c.provider.statements.size, c.name, c.provider.clock.now()).Scan(&n)
	})
	return n, err
}
