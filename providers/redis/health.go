package redis

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// watchEvery is how often the server is asked whether it is there.
	watchEvery = time.Second
	// weighEvery is how often it is asked for its load.
	weighEvery = 10
)

// A gauge is what is known of the server.
type gauge struct {
	outage atomic.Pointer[outage] // nil: it is up, as far as is known
	load   atomic.Pointer[load]
}

// An outage is why the server is down, and since when.
type outage struct {
	since time.Time
	why   string
}

// A load is how full the server is, and what time it has.
type load struct {
	memory, used int64
	evictions    uint64
	ahead        time.Duration
}

func (g *gauge) down() bool { return g.outage.Load() != nil }

// watch asks the server until the provider is closed.
func (p *Provider) watch() {
	p.tasks.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for n := 0; ; n++ {
			p.look(n%weighEvery == 0)
			select {
			case <-tick.C:
			case <-p.life.Done():
				return
			}
		}
	})
}

// look asks whether the server is there, and for its load.
func (p *Provider) look(weigh bool) {
	ctx, cancel := context.WithTimeout(p.life, p.opts.ConnectTimeout+p.opts.RequestTimeout)
	defer cancel()
	err := p.Ping(ctx)
	if err == nil && weigh {
		err = p.weigh(ctx)
	}
	if p.life.Err() != nil {
		return
	}
	server := p.opts.Servers[0]
	if err == nil {
		if o := p.gauge.outage.Swap(nil); o != nil {
			p.opts.Logger.Info("redis: the server answers again", "server", server, "after", time.Since(o.since).Round(time.Second))
		}
		return
	}
	if o := (&outage{time.Now(), reason(err)}); p.gauge.outage.CompareAndSwap(nil, o) {
		p.opts.Logger.Warn("redis: the server cannot be used; sessions and entries are unavailable", "server", server, "error", o.why)
	}
}

// weigh asks the server for its load. One that does not say has none.
func (p *Provider) weigh(ctx context.Context) error {
	info, err := p.info(ctx)
	if err != nil {
		return err
	}
	var l load
	l.memory, _ = strconv.ParseInt(info["maxmemory"], 10, 64)
	l.used, _ = strconv.ParseInt(info["used_memory"], 10, 64)
	l.evictions, _ = strconv.ParseUint(info["evicted_keys"], 10, 64)
	if us, err := strconv.ParseInt(info["server_time_usec"], 10, 64); err == nil {
		l.ahead = time.Until(time.UnixMicro(us)).Round(time.Second)
	}
	before := p.gauge.load.Swap(&l)
	if before != nil && l.evictions > before.evictions {
		p.opts.Logger.Warn("redis: the server drops what is not dead yet, so that visitors lose their sessions; give it more memory (maxmemory)",
			"server", p.opts.Servers[0], "evicted", l.evictions-before.evictions)
	}
	return nil
}

// reason says in a few words why the server is down. The errors of networks name ports that
// differ each time.
func reason(err error) string {
	var network net.Error
	switch {
	case errors.Is(err, driver.ErrMisconfigured):
		return err.Error()
	case errors.Is(err, syscall.ECONNREFUSED):
		return "nobody listens there"
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, errSilent), errors.As(err, &network) && network.Timeout():
		return "it does not answer"
	}
	return err.Error()
}

// Health implements driver.Reporter.
func (p *Provider) Health() (h driver.Health) {
	one := driver.Server{Name: p.opts.Servers[0]}
	if l := p.gauge.load.Load(); l != nil {
		one.Memory, one.Used, one.Evictions, one.Ahead = l.memory, l.used, l.evictions, l.ahead
	}
	if o := p.gauge.outage.Load(); o != nil {
		one.Down, one.Since, one.Affected = o.why, o.since, "all sessions and entries are unavailable"
		h.Unready = append(h.Unready, "the redis server "+one.Name+" cannot be used: "+o.why)
	}
	h.Servers = []driver.Server{one}
	return h
}
