package sql

import (
	"context"
	stdsql "database/sql"
	"fmt"
	"sync/atomic"
	"time"
)

// agreement is up to what difference two clocks count as the same: what is kept well by NTP
// differs by less, and so does what can be measured through a slow network.
const agreement = time.Second

// A clock tells the database's time, of which every process that shares a table has the same
// notion: deadlines are stored in it.
type clock struct{ ahead atomic.Int64 } // of this process's, in milliseconds

// now is the database's time in milliseconds.
func (c *clock) now() int64 { return time.Now().UnixMilli() + c.ahead.Load() }

// store returns a deadline as it is stored. A part of a millisecond counts as a whole one.
func (c *clock) store(deadline time.Time) int64 {
	if deadline.IsZero() {
		return never
	}
	return deadline.Add(time.Millisecond-1).UnixMilli() + c.ahead.Load()
}

// load is the inverse of store.
func (c *clock) load(deadline int64) time.Time {
	if deadline == never {
		return time.Time{}
	}
	return time.UnixMilli(deadline - c.ahead.Load())
}

// measure compares the database's clock with this process's. What may be due to the network is
// no difference, and neither is one within agreement.
func (c *clock) measure(before, after time.Time, database int64) {
	middle := before.Add(after.Sub(before) / 2)
	ahead := time.UnixMilli(database).Sub(middle)
	if ahead.Abs() < agreement+after.Sub(before)/2 {
		ahead = 0
	}
	c.ahead.Store(ahead.Milliseconds())
}

// difference is by how much the database's clock is ahead.
func (c *clock) difference() time.Duration {
	return time.Duration(c.ahead.Load()) * time.Millisecond
}

// compareClocks asks the database for its time.
func (p *Provider) compareClocks(ctx context.Context) error {
	if p.statements.now == "" {
		return nil
	}
	var before, after time.Time
	var database int64
	err := p.read(ctx, func(ctx context.Context, c *stdsql.Conn) error {
		before = time.Now()
		err := c.QueryRowContext(ctx, p.statements.now).Scan(&database)
		after = time.Now()
		return err
	})
	if err != nil {
		return err
	}
	known := p.clock.difference()
	p.clock.measure(before, after, database)
	if now := p.clock.difference(); (now - known).Abs() > agreement {
		p.opts.Logger.Warn("sql: the database's clock and this machine's differ; deadlines are kept by the database's",
			"database", p.opts.name, "ahead", fmt.Sprint(now.Round(time.Second)))
	}
	return nil
}
