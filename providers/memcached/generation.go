package memcached

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// generationLease is how long a generation may be used after the request that
	// fetched it was sent.
	generationLease = time.Second
	// clearWait is how long Clear waits for all leases to end: a lease, and what
	// clocks that run at different speeds can make of it.
	clearWait = generationLease + 50*time.Millisecond

	// maxRaces bounds how often the generation's key may vanish or appear between
	// two requests of one call.
	maxRaces = 8
)

// A lease is a generation that was fetched, and when.
type lease struct {
	generation uint64
	fetched    time.Time // before the request was sent
}

// leases are a cache's leases, one for each server.
type leases []atomic.Pointer[lease]

// valid returns the generation that may be used on a connection now.
func (ls leases) valid(l *lane) (generation uint64, ok bool) {
	have := ls[l.server.index].Load()
	if have == nil {
		return 0, false
	}
	// A server that was restarted has lost the generation, and its cas numbers
	// begin anew. A connection to it is younger than any lease from before.
	if have.fetched.Before(l.conn.dialed) {
		return 0, false
	}
	// The monotonic clock stands still while a machine is suspended; the other one
	// does not.
	now := time.Now()
	if now.Sub(have.fetched) >= generationLease || now.Round(0).Sub(have.fetched.Round(0)) >= generationLease {
		return 0, false
	}
	return have.generation, true
}

// renew keeps a lease unless there is a later one.
func (ls leases) renew(s *server, generation uint64, fetched time.Time) {
	p := &ls[s.index]
	for {
		have := p.Load()
		if have != nil && !have.fetched.Before(fetched) {
			return
		}
		if p.CompareAndSwap(have, &lease{generation, fetched}) {
			return
		}
	}
}

// next returns a generation that no item has: the time of day, or more if this
// process has seen a greater one.
func (ls leases) next(s *server) uint64 {
	n := uint64(time.Now().UnixNano())
	if have := ls[s.index].Load(); have != nil {
		n = max(n, have.generation+1)
	}
	return n
}

// generation returns the cache's generation on the lane's server. It asks the server
// if the lease has ended, or if somebody has seen a later one than that of the lease.
func (c *cache) generation(ctx context.Context, l *lane, seen uint64) (uint64, error) {
	if g, ok := c.leases.valid(l); ok && g >= seen {
		return g, nil
	}
	_, g, err := c.fetch(ctx, l)
	return g, err
}

// read reads items and the generation that decides which of them are alive. It is
// one exchange, whether or not the lease has ended.
func (c *cache) read(ctx context.Context, l *lane, keys ...string) (found items, generation uint64, err error) {
	if g, ok := c.leases.valid(l); ok {
		found, err = l.get(ctx, keys...)
		return found, g, err
	}
	return c.fetch(ctx, l, keys...)
}

// fetch fetches items and the generation. If the server has none, because it is new
// or has lost it, fetch creates one.
func (c *cache) fetch(ctx context.Context, l *lane, keys ...string) (found items, generation uint64, err error) {
	// The server looks keys up in their order. With the generation last, no item
	// can be of a later one.
	keys = append(slices.Clip(keys), c.names.generation)
	for range maxRaces {
		sent := time.Now()
		if found, err = l.get(ctx, keys...); err != nil {
			return items{}, 0, err
		}
		if item := found.of(c.names.generation); item != nil {
			generation, err = strconv.ParseUint(string(item.Value), 10, 64)
			if err != nil {
				return items{}, 0, errEnvelope
			}
			c.leases.renew(l.server, generation, sent)
			return found, generation, nil
		}
		sent = time.Now()
		// A read, since it changes no record whether or not it arrives.
		generation, err = c.create(ctx, l, l.read)
		if err == nil {
			c.leases.renew(l.server, generation, sent)
			return found, generation, nil
		}
		if !errors.Is(err, memcache.ErrNotStored) {
			return items{}, 0, err
		}
	}
	return items{}, 0, errRaces(l)
}

// create creates the generation if there is none.
func (c *cache) create(ctx context.Context, l *lane, exchange func(context.Context, func(*memcache.Client) error) error) (uint64, error) {
	g := c.leases.next(l.server)
	return g, exchange(ctx, func(client *memcache.Client) error {
		return client.Add(&memcache.Item{Key: c.names.generation, Value: strconv.AppendUint(nil, g, 10)})
	})
}

// Clear implements driver.Clearer. It gives the cache a new generation on every
// server and waits until nobody uses the old one any more: about a second.
//
// If a server does not answer, nothing is cleared. If one fails while the others are
// being cleared, or ctx ends early, the error matches driver.ErrIndeterminate.
func (c *cache) Clear(ctx context.Context) error {
	if err := c.provider.Ping(ctx); err != nil {
		return err
	}
	err := c.provider.each(func(s *server) error {
		return s.call(ctx, func(l *lane) error { return c.advance(ctx, l) })
	})
	if err != nil {
		return fmt.Errorf("%w: not every server was cleared: %w", driver.ErrIndeterminate, err)
	}
	leasesEnd := time.NewTimer(clearWait)
	defer leasesEnd.Stop()
	select {
	case <-leasesEnd.C:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("%w: for up to %s, other processes may still use what was cleared: %w",
			driver.ErrIndeterminate, driver.FormatDuration(clearWait), ctx.Err())
	}
}

// advance gives the cache a greater generation on the lane's server.
func (c *cache) advance(ctx context.Context, l *lane) error {
	for range maxRaces {
		sent := time.Now()
		var g uint64
		err := l.write(ctx, func(client *memcache.Client) (err error) {
			g, err = client.Increment(c.names.generation, 1)
			return err
		})
		if errors.Is(err, memcache.ErrCacheMiss) {
			g, err = c.create(ctx, l, l.write)
		}
		if err == nil {
			c.leases.renew(l.server, g, sent)
		}
		if !errors.Is(err, memcache.ErrNotStored) {
			return err
		}
	}
	return errRaces(l)
}

func errRaces(l *lane) error {
	return fmt.Errorf("%w: memcached %s: it keeps losing the generation of a cache; has it too little memory?",
		driver.ErrUnavailable, l.server.addr)
}
