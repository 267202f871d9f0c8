package redis

import (
	"context"
	"errors"
	"io"
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
	// weighEvery is after how many of these questions it is asked for its load.
	weighEvery = 10
	// evictionsEvery is how often it is said that it evicts.
	evictionsEvery = time.Minute
)

// A gauge is what is known of the server. Who asks it is one goroutine.
type gauge struct {
	outage atomic.Pointer[outage] // nil: it is up, as far as is known
	load   atomic.Pointer[load]

	told uint64    // the evictions that were told last
	said time.Time // and when
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
	if err == nil {
		p.gauge.outage.Store(nil)
		return
	}
	now := &outage{time.Now(), reason(err)}
	if before := p.gauge.outage.Load(); before != nil {
		now.since = before.since
	}
	p.gauge.outage.Store(now)
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
	p.gauge.load.Store(&l)
	p.tellEvictions(l.evictions)
	return nil
}

// tellEvictions says that the server has evicted something since it was said last.
func (p *Provider) tellEvictions(now uint64) {
	g := &p.gauge
	if now < g.told { // it was restarted
		g.told = 0
	}
	if now > g.told && time.Since(g.said) >= evictionsEvery {
		p.opts.Logger.Warn("redis: the server drops what is not dead yet, so that visitors lose their sessions; give it more memory (maxmemory)",
			"server", p.opts.Servers[0], "evicted", now-g.told)
		g.told, g.said = now, time.Now()
	}
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
	case errors.Is(err, io.EOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "it has closed the connection"
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
