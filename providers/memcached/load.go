package memcached

import (
	"bufio"
	"context"
	"log/slog"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
)

// A load is how full a server is, and what time it has. Zero: it does not say.
type load struct {
	memory, used int64         // bytes
	evictions    uint64        // live items that it has dropped since it was started
	ahead        time.Duration // its clock, of this process's
}

func loadOf(stats map[string]string) (l load) {
	l.memory, _ = strconv.ParseInt(stats["limit_maxbytes"], 10, 64)
	l.used, _ = strconv.ParseInt(stats["bytes"], 10, 64)
	l.evictions, _ = strconv.ParseUint(stats["evictions"], 10, 64)
	if now, err := strconv.ParseInt(stats["time"], 10, 64); err == nil {
		l.ahead = time.Until(time.Unix(now, 0)).Round(time.Second)
	}
	return l
}

const (
	// loadEvery is how often a server is asked for its load.
	loadEvery = 10 * time.Second
	// evictionsEvery is how often it is said that a server evicts.
	evictionsEvery = time.Minute
	// smallMemory is less than memcached has by default.
	smallMemory = 64 << 20
)

// A gauge knows a server's load, and says what an operator should do about it.
type gauge struct {
	now  atomic.Pointer[load]
	said atomic.Int64  // when it was said last that the server evicts, in nanoseconds since 1970
	told atomic.Uint64 // the evictions that were told then
}

func (g *gauge) observe(log *slog.Logger, server address, now load) {
	before := g.now.Swap(&now)
	if before == nil && now.memory > 0 && now.memory < smallMemory {
		log.Warn("memcached: a server has little memory; it evicts entries and sessions, or with -M refuses them, when it is full",
			"server", string(server), "megabytes", now.memory>>20)
	}
	told := g.told.Load()
	if now.evictions < told { // it was restarted
		g.told.Store(0)
		told = 0
	}
	at, last := time.Now().UnixNano(), g.said.Load()
	if now.evictions > told && time.Duration(at-last) >= evictionsEvery && g.said.CompareAndSwap(last, at) {
		g.told.Store(now.evictions)
		log.Warn("memcached: a server evicts what is not dead yet, so that visitors lose their sessions; give it more memory (-m)",
			"server", string(server), "evicted", now.evictions-told)
	}
}

// weigh asks a server for its load.
func (s *server) weigh(ctx context.Context) error {
	return s.call(ctx, func(l *lane) error {
		var stats map[string]string
		err := l.read(ctx, func(*memcache.Client) (err error) {
			if err = l.conn.SetDeadline(time.Now().Add(s.opts.RequestTimeout)); err == nil {
				stats, err = askStats(l.conn, bufio.NewReader(l.conn), "stats")
			}
			return err
		})
		if err == nil {
			s.observe(s.opts.Logger, s.addr, loadOf(stats))
		}
		return err
	})
}
