package main

import (
	"context"
	stdsql "database/sql"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

const (
	sessionBytes = 300
	sessionLife  = 30 * time.Minute
	touchers     = 16
)

// tables fills a table of each database with sessions, touches them for a while as requests do, with the reaper
// running, and prints how large the table was before and after.
func tables(ctx context.Context, out io.Writer, sessions int, duration time.Duration) error {
	for _, d := range databases {
		if err := d.grow(ctx, out, sessions, duration); err != nil {
			return fmt.Errorf("%s: %w", d.name, err)
		}
	}
	return nil
}

func (d *database) grow(ctx context.Context, out io.Writer, sessions int, duration time.Duration) error {
	url, stop, err := d.start(ctx)
	if err != nil {
		return err
	}
	defer stop()
	p, err := sql.Connect(ctx, sql.Options{URL: url, CreateTables: true, ReapInterval: reapEvery})
	if err != nil {
		return err
	}
	defer p.Close(ctx) //nolint:errcheck // the database ends next
	c, err := p.OpenCache(ctx, "sessions", driver.CacheOptions{LongestTTL: sessionLife})
	if err != nil {
		return err
	}
	f := driver.FeaturesOf(c)
	size := func() (n float64) {
		if err == nil {
			err = f.Unwrapper.Unwrap().(*stdsql.DB).QueryRowContext(ctx, d.size).Scan(&n)
		}
		return n
	}
	began := time.Now()
	if err := fill(ctx, f.BatchPutter, sessions); err != nil {
		return err
	}
	fmt.Fprintf(out, "\n%s: %d sessions of %d B, filled in %v\n", d.name, sessions, sessionBytes, time.Since(began).Round(time.Second))
	before := size()
	touched, failed := touch(ctx, c, f.Toucher, sessions, duration)
	after := size()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(out, "%d touches in %v by %d callers, %d failed; %.0f MB before, %.0f MB after: %.2f times\n",
		touched, duration, touchers, failed, before/1e6, after/1e6, after/before)
	return err
}

func fill(ctx context.Context, p driver.BatchPutter, sessions int) error {
	var batch []driver.Entry
	for i := range sessions {
		record := make([]byte, sessionBytes)
		binary.BigEndian.PutUint64(record, uint64(i)+1) // what tells writes apart
		batch = append(batch, driver.Entry{Key: strconv.Itoa(i), Record: record, Deadline: lifeFromNow()})
		if len(batch) < 1024 && i < sessions-1 {
			continue
		}
		for _, err := range p.PutBatch(ctx, batch) {
			if err != nil {
				return err
			}
		}
		batch = batch[:0]
	}
	return nil
}

func lifeFromNow() time.Time { return time.Now().Add(sessionLife).Truncate(time.Millisecond) }

// touch lets callers read one session after the other and move its deadline, each without a pause.
func touch(ctx context.Context, c driver.Cache, t driver.Toucher, sessions int, duration time.Duration) (touched, failed int64) {
	var done, wrong atomic.Int64
	var wg sync.WaitGroup
	end := time.Now().Add(duration)
	for range touchers {
		wg.Go(func() {
			for time.Now().Before(end) && ctx.Err() == nil {
				key := strconv.Itoa(rand.IntN(sessions))
				item, found, err := c.Get(ctx, key)
				if err == nil && found {
					_, err = t.Touch(ctx, key, item.Token, lifeFromNow())
				}
				if err != nil || !found {
					wrong.Add(1)
					continue
				}
				done.Add(1)
			}
		})
	}
	wg.Wait()
	return done.Load(), wrong.Load()
}
