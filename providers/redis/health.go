package redis

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// watchEvery is how often the servers are asked whether they are there.
	watchEvery = time.Second
	// weighEvery is after how many of these questions they are asked for their load.
	weighEvery = 10
	// evictionsEvery is how often it is said that a server evicts.
	evictionsEvery = time.Minute
)

// A health is what is known of the servers, by their addresses.
type health struct {
	mu      sync.Mutex
	servers map[string]*gauge
	none    atomic.Bool // no server answers
}

// A gauge is what is known of one server.
type gauge struct {
	server driver.Server
	told   uint64    // the evictions that were told last
	said   time.Time // and when
}

func (h *health) down() bool { return h.none.Load() }

// watch asks the servers until the provider is closed.
func (p *Provider) watch() {
	p.look(true)
	p.tasks.Go(func() {
		tick := time.NewTicker(watchEvery)
		defer tick.Stop()
		for n := 1; ; n++ {
			select {
			case <-tick.C:
				p.look(n%weighEvery == 0)
			case <-p.life.Done():
				return
			}
		}
	})
}

// look asks each server whether it is there, and for its load.
func (p *Provider) look(weigh bool) {
	ctx, cancel := context.WithTimeout(p.life, p.opts.ConnectTimeout+p.opts.RequestTimeout)
	defer cancel()
	nodes := p.client.Nodes()
	var wg sync.WaitGroup
	for addr, server := range nodes {
		wg.Go(func() { p.visit(ctx, addr, server, weigh) })
	}
	wg.Wait()
	h := &p.health
	h.mu.Lock()
	defer h.mu.Unlock()
	none := true
	for addr, g := range h.servers {
		if nodes[addr] == nil {
			delete(h.servers, addr)
		} else if g.server.Down == "" {
			none = false
		}
	}
	h.none.Store(none && p.life.Err() == nil)
}

// visit asks one server.
func (p *Provider) visit(ctx context.Context, addr string, server rueidis.Client, weigh bool) {
	_, err := p.readOn(ctx, server, func(b rueidis.Builder) rueidis.Completed { return b.Ping().Build() })
	var info map[string]string
	if err == nil && weigh {
		info, err = p.info(ctx, server)
	}
	if p.life.Err() != nil {
		return
	}
	h := &p.health
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.servers == nil {
		h.servers = make(map[string]*gauge)
	}
	g := h.servers[addr]
	if g == nil {
		g = &gauge{server: driver.Server{Name: addr}}
		h.servers[addr] = g
	}
	g.note(err)
	if info != nil {
		g.weigh(info)
		if n, tell := g.evictions(); tell {
			p.opts.Logger.Warn("redis: the server drops what is not dead yet, so that visitors lose their sessions; give it more memory (maxmemory)",
				"server", addr, "evicted", n)
		}
	}
}

// note notes whether the server has answered.
func (g *gauge) note(err error) {
	s := &g.server
	if err == nil {
		s.Down, s.Since, s.Affected = "", time.Time{}, ""
		return
	}
	if s.Down == "" {
		s.Since = time.Now()
	}
	s.Down, s.Affected = reason(err), "the sessions and entries on it are unavailable, unless another server takes its place"
}

// weigh notes how full the server is, and what time it has.
func (g *gauge) weigh(info map[string]string) {
	s := &g.server
	s.Memory, _ = strconv.ParseInt(info["maxmemory"], 10, 64)
	s.Used, _ = strconv.ParseInt(info["used_memory"], 10, 64)
	s.Evictions, _ = strconv.ParseUint(info["evicted_keys"], 10, 64)
	if us, err := strconv.ParseInt(info["server_time_usec"], 10, 64); err == nil {
		s.Ahead = time.Until(time.UnixMicro(us)).Round(time.Second)
	}
}

// evictions returns how many there were since they were told last, and whether it is time for that.
func (g *gauge) evictions() (n uint64, tell bool) {
	now := g.server.Evictions
	if now < g.told { // it was restarted
		g.told = 0
	}
	if now == g.told || time.Since(g.said) < evictionsEvery {
		return 0, false
	}
	n = now - g.told
	g.told, g.said = now, time.Now()
	return n, true
}

// reason says in a few words why a server is down. The errors of networks name ports that
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

// Ping implements driver.Provider. Its error names every primary that does not answer.
func (p *Provider) Ping(ctx context.Context) error {
	primaries, err := p.primaries(ctx)
	if err != nil {
		return err
	}
	var all error
	for _, server := range primaries {
		_, err := p.readOn(ctx, server.client, func(b rueidis.Builder) rueidis.Completed { return b.Ping().Build() })
		if err != nil && all == nil {
			all = err
		} else if err != nil {
			all = fmt.Errorf("%w; %w", all, err)
		}
	}
	return all
}

// Health implements driver.Reporter.
func (p *Provider) Health() (h driver.Health) {
	p.health.mu.Lock()
	defer p.health.mu.Unlock()
	var why []string
	for _, addr := range slices.Sorted(maps.Keys(p.health.servers)) {
		s := p.health.servers[addr].server
		if s.Down != "" {
			why = append(why, addr+": "+s.Down)
		}
		h.Servers = append(h.Servers, s)
	}
	if p.health.down() {
		h.Unready = append(h.Unready, "no redis server can be used: "+strings.Join(why, "; "))
	}
	return h
}
