package sql

import (
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A cache is the rows of one name.
type cache struct {
	provider *Provider
	name     string
	info     driver.Info
	buckets  buckets
}

// Info implements driver.Cache.
func (c *cache) Info() driver.Info { return c.info }

// Unwrap implements driver.Unwrapper: it returns a *sql.DB of package database/sql.
func (c *cache) Unwrap() any { return c.provider.writes }

// Close implements driver.Cache.
func (c *cache) Close() error { return nil }

// Placement implements driver.Locality: no key is nearer than another one, and all are
// unavailable while the database is down.
func (c *cache) Placement(string) driver.Placement {
	if c.provider.gauge.down() {
		return driver.Unavailable
	}
	return driver.Anywhere
}

// version is the identifier of the write that a record begins with. It is the token, too.
func version(record []byte) int64 {
	var id [driver.WriteIDBytes]byte
	copy(id[:], record)
	if n := int64(binary.BigEndian.Uint64(id[:])); n != 0 {
		return n
	}
	return 1
}

func token(record []byte) driver.Token { return driver.Token{N: uint64(version(record))} }

// row is the arguments of columns.
func (c *cache) row(key string, record []byte, deadline time.Time) []any {
	d := c.provider.clock.store(deadline)
	return []any{c.name, []byte(key), version(record), d, c.buckets.of(key, d), record}
}

// item makes one of the columns record, version and deadline.
func (c *cache) item(key string, record []byte, version, deadline int64) driver.Item {
	return driver.Item{Key: key, Record: record, Token: driver.Token{N: uint64(version)}, Deadline: c.provider.clock.load(deadline)}
}

// check refuses a record that is too large before it is sent.
func (c *cache) check(record []byte) error {
	if len(record) > c.info.MaxRecordBytes {
		return fmt.Errorf("%w: a record of %d bytes, and the most is %d", driver.ErrTooLarge, len(record), c.info.MaxRecordBytes)
	}
	return nil
}

// Get implements driver.Cache.
func (c *cache) Get(ctx context.Context, key string) (item driver.Item, found bool, err error) {
	err = c.provider.read(ctx, func(ctx context.Context, conn *stdsql.Conn) error {
		var record []byte
		var version, deadline int64
		err := conn.QueryRowContext(ctx, c.provider.statements.get, c.name, []byte(key), c.provider.clock.now()).Scan(&record, &version, &deadline)
		if errors.Is(err, stdsql.ErrNoRows) {
			found = false
			return nil
		}
		item, found = c.item("", record, version, deadline), err == nil
		return err
	})
	if err != nil || !found {
		return driver.Item{}, false, err
	}
	return item, true, nil
}

// Put implements driver.Cache.
func (c *cache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	if err := c.check(record); err != nil {
		return err
	}
	_, err := c.provider.write(ctx, c.provider.statements.put, c.row(key, record, deadline)...)
	return err
}

// Delete implements driver.Cache.
func (c *cache) Delete(ctx context.Context, key string) error {
	_, err := c.provider.write(ctx, c.provider.statements.delete, c.name, []byte(key))
	return err
}

// Swap implements driver.Cache.
func (c *cache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	if err := c.check(record); err != nil {
		return false, nil, err
	}
	swapped, err := c.swap(ctx, key, old, record, deadline)
	return swapped, nil, err
}

func (c *cache) swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, error) {
	s, now := c.provider.statements, c.provider.clock.now()
	switch {
	case old.IsZero() && record == nil: // what is absent stays so
		_, found, err := c.Get(ctx, key)
		return !found && err == nil, err
	case old.IsZero():
		return c.create(ctx, c.row(key, record, deadline))
	case record == nil:
		n, err := c.provider.write(ctx, s.remove, c.name, []byte(key), int64(old.N), now)
		return n > 0, err
	}
	d := c.provider.clock.store(deadline)
	n, err := c.provider.write(ctx, s.replace, version(record), d, c.buckets.of(key, d), record, c.name, []byte(key), int64(old.N), now)
	return n > 0, err
}

// create stores a row where none lives.
func (c *cache) create(ctx context.Context, row []any) (bool, error) {
	s, now := c.provider.statements, c.provider.clock.now()
	if s.create != "" {
		n, err := c.provider.write(ctx, s.create, append(row, now)...)
		return n > 0, err
	}
	n, err := c.provider.write(ctx, s.insert, row...)
	if !errors.Is(err, errPresent) {
		return n > 0, err
	}
	name, key, version, deadline, bucket, record := row[0], row[1], row[2], row[3], row[4], row[5]
	n, err = c.provider.write(ctx, s.revive, version, deadline, bucket, record, name, key, now)
	return n > 0, err
}

// Touch implements driver.Toucher. The record is not written again, and as a rule no index.
func (c *cache) Touch(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	s, d := c.provider.statements, c.provider.clock.store(deadline)
	n, err := c.provider.write(ctx, s.touch, d, c.buckets.of(key, d), c.name, []byte(key), int64(token.N), c.provider.clock.now())
	if err != nil || n > 0 || !s.changesOnly {
		return n > 0, err
	}
	err = c.provider.read(ctx, func(ctx context.Context, conn *stdsql.Conn) error {
		var one int
		err := conn.QueryRowContext(ctx, s.has, c.name, []byte(key), int64(token.N), d).Scan(&one)
		if errors.Is(err, stdsql.ErrNoRows) {
			return nil
		}
		n = int64(one)
		return err
	})
	return n > 0, err
}
