package sql

import (
	"context"
	"crypto/rand"
	stdsql "database/sql"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// reapBatch is how many rows a statement removes, so that none lasts long.
	reapBatch = 500
	// reapGrace is how long rows stay that are dead, because clocks differ a little.
	reapGrace = 5 * time.Second
)

// reap removes dead rows until the provider is closed. Of all processes that share the table, one
// does it at a time: the one that creates the row of the reaper, which lives until the next round.
func (p *Provider) reap() {
	p.tasks.Go(func() {
		tick := time.NewTicker(p.opts.ReapInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-p.life.Done():
				return
			}
			if p.reaper(p.life) {
				_, _ = p.removeDead(p.life) // what is left is removed in a later round
				p.purge(p.life)
			}
		}
	})
}

// reaper reports whether this process is the one that reaps in this round.
func (p *Provider) reaper(ctx context.Context) bool {
	own := &cache{provider: p, name: ownRows, buckets: bucketsFor(driver.CacheOptions{LongestTTL: p.opts.ReapInterval})}
	id := make([]byte, driver.WriteIDBytes)
	_, _ = rand.Read(id) // never fails
	// A little earlier than the next tick, which may come a little early.
	until := time.Now().Add(p.opts.ReapInterval * 9 / 10)
	elected, err := own.create(ctx, own.row(reaperRow, id, until))
	return elected && err == nil
}

// removeDead removes every dead row whose bucket has come, a batch at a time.
func (p *Provider) removeDead(ctx context.Context) (removed int64, err error) {
	for {
		dead := p.clock.now() - reapGrace.Milliseconds()
		n, err := p.write(ctx, p.statements.reap, dead, dead, dead, reapBatch)
		removed += n
		if err != nil || n < reapBatch {
			return removed, err
		}
	}
}

// purge removes who watches no more, and what everybody who watches has read. What is left is
// removed in a later round.
func (p *Provider) purge(ctx context.Context) {
	if !p.watchable {
		return
	}
	now, s := p.clock.now(), p.statements
	if _, err := p.write(ctx, s.lapsed, now); err != nil {
		return
	}
	for {
		var last stdsql.NullInt64
		err := p.read(ctx, func(ctx context.Context, c *stdsql.Conn) error {
			return c.QueryRowContext(ctx, s.oldest, reapBatch, now-outboxLife.Milliseconds()).Scan(&last)
		})
		if err != nil || !last.Valid {
			return
		}
		if _, err := p.write(ctx, s.purge, last.Int64); err != nil {
			return
		}
	}
}
