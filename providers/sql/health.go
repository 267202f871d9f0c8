package sql

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// watchEvery is how often the database is asked whether it is there, unless it has answered
	// calls meanwhile.
	watchEvery = time.Second
	// compareEvery is how often it is asked for its time.
	compareEvery = time.Minute
)

// A gauge is what is known of the database.
type gauge struct {
	name   string
	log    *slog.Logger
	outage atomic.Pointer[outage] // nil: it is up, as far as is known
	count  atomic.Uint64          // of the calls that were answered
}

// An outage is why the database cannot be used, and since when.
type outage struct {
	since time.Time
	why   string
}

func (g *gauge) down() bool { return g.outage.Load() != nil }

// answered notes that the database carried something out.
func (g *gauge) answered() {
	g.count.Add(1)
	if g.outage.Load() == nil {
		return
	}
	if o := g.outage.Swap(nil); o != nil {
		g.log.Info("sql: the database answers again", "database", g.name, "after", time.Since(o.since).Round(time.Second))
	}
}

// failed notes that the database did not carry out what it should.
func (g *gauge) failed(err error) {
	if o := (&outage{time.Now(), plain(err)}); g.outage.CompareAndSwap(nil, o) {
		g.log.Warn("sql: the database cannot be used; sessions and entries are unavailable", "database", g.name, "error", o.why)
	}
}

// plain is an error without what all of them begin with.
func plain(err error) string {
	if errors.Is(err, context.DeadlineExceeded) {
		return errSilent.Error()
	}
	text := err.Error()
	for _, prefix := range []error{driver.ErrUnavailable, driver.ErrMisconfigured} {
		if _, why, ok := strings.Cut(text, prefix.Error()+": "); ok {
			return why
		}
	}
	return text
}

// watch asks the database until the provider is closed.
func (p *Provider) watch() {
	p.tasks.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		compared := time.Now()
		for count := p.gauge.count.Load(); ; {
			select {
			case <-tick.C:
			case <-p.life.Done():
				return
			}
			if now := p.gauge.count.Load(); now != count && !p.gauge.down() {
				count = now
			} else if err := p.Ping(p.life); err != nil && p.life.Err() == nil && p.gauge.count.Load() == now {
				p.gauge.failed(err)
			}
			if time.Since(compared) >= compareEvery && p.compareClocks(p.life) == nil {
				compared = time.Now()
			}
		}
	})
}

// Health implements driver.Reporter.
func (p *Provider) Health() (h driver.Health) {
	one := driver.Server{Name: p.opts.name, Ahead: p.clock.difference()}
	if o := p.gauge.outage.Load(); o != nil {
		one.Down, one.Since, one.Affected = o.why, o.since, "all sessions and entries are unavailable"
		h.Unready = append(h.Unready, "the database "+one.Name+" cannot be used: "+o.why)
	}
	h.Servers = []driver.Server{one}
	return h
}
