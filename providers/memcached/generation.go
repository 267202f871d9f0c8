package memcached

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
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

// A generation says what a cache holds on one server: of its items, those are alive whose
// stamp is not below the floor.
//
// It is stored under a key of its own, an ordinary item, which the server may lose at any
// time. Who knows it then puts it back; who does not makes one with a stamp of its own and
// no floor. So a loss can undo a Clear, and never makes a record disappear: whatever was
// written since the last Clear has a stamp that is not below its floor, be it the stamp of
// that generation or, from one who did not know it, the later time of day.
//
// The item is the stamp in decimal. Its flags say whether the stamp is the floor, too.
type generation struct {
	stamp uint64 // of the items that are written now
	floor uint64 // stamp after a Clear; zero: nothing is cleared
}

const (
	flagCleared   = 0 // stamp is the floor
	flagUncleared = 1 // there is no floor
)

// item is the generation as it is stored.
func (g generation) item(key string) *memcache.Item {
	item := &memcache.Item{Key: key, Value: strconv.AppendUint(nil, g.stamp, 10), Flags: flagCleared}
	if g.floor == 0 {
		item.Flags = flagUncleared
	}
	return item
}

// errNoGeneration: somebody else writes under the keys of this provider, which no call can mend.
var errNoGeneration = fmt.Errorf("%w: the generation of a cache on a memcached server was not written by this provider, or is damaged; "+
	"another program may use the same prefix", driver.ErrMisconfigured)

// parseGeneration is the reverse of item. Its error is errNoGeneration.
func parseGeneration(item *memcache.Item) (g generation, err error) {
	g.stamp, err = strconv.ParseUint(strings.TrimRight(string(item.Value), " "), 10, 64)
	if err != nil || item.Flags != flagCleared && item.Flags != flagUncleared {
		return generation{}, errNoGeneration
	}
	if item.Flags == flagCleared {
		g.floor = g.stamp
	}
	return g, nil
}

// A lease is a generation that was fetched, and when.
type lease struct {
	generation
	fetched time.Time // before the request was sent
	// stored: the server has the generation, or no room for it. Who writes makes sure
	// of that; to read a cache that was never written leaves nothing behind.
	stored bool
}

// leases are a cache's leases, one for each server. After a lease has ended, it is still
// what this process knows.
type leases []atomic.Pointer[lease]

// valid returns the lease of a server, or nil if it has ended.
func (ls leases) valid(s *server) *lease {
	have := ls[s.index].Load()
	if have == nil {
		return nil
	}
	// The monotonic clock stands still while a machine is suspended; the other one
	// does not.
	now := time.Now()
	if now.Sub(have.fetched) >= generationLease || now.Round(0).Sub(have.fetched.Round(0)) >= generationLease {
		return nil
	}
	return have
}

// renew keeps a lease unless there is a later one, and returns its generation. That the
// server has none is forgotten as soon as there is one.
func (ls leases) renew(s *server, fresh lease) generation {
	p := &ls[s.index]
	for {
		have := p.Load()
		if have != nil && (have.fetched.After(fresh.fetched) || have.stamp > 0 && fresh.stamp == 0) {
			return fresh.generation
		}
		if p.CompareAndSwap(have, &fresh) {
			return fresh.generation
		}
	}
}

// last returns what this process knows of a server's generation, if anything.
func (ls leases) last(s *server) (g generation, ok bool) {
	if have := ls[s.index].Load(); have != nil && have.stamp > 0 {
		return have.generation, true
	}
	return generation{}, false
}

// next returns a generation with a stamp that is greater than any other, as far as this
// process knows: the time of day, or more.
func (ls leases) next(s *server, stored generation) generation {
	known, _ := ls.last(s)
	stamp := max(uint64(time.Now().UnixNano()), known.stamp+1, stored.stamp+1)
	return generation{stamp: stamp, floor: stamp}
}

// generation returns the generation that is written on the lane's server. It asks
// the server if the lease has ended.
func (c *cache) generation(ctx context.Context, l *lane) (generation, error) {
	if have := c.leases.valid(l.server); have != nil && have.stored {
		return have.generation, nil
	}
	_, g, err := c.fetch(ctx, l, true)
	return g, err
}

// read reads items and the generation that decides which of them are alive. It is
// one exchange, whether or not the lease has ended.
func (c *cache) read(ctx context.Context, l *lane, keys ...string) (found items, g generation, err error) {
	if have := c.leases.valid(l.server); have != nil {
		found, err = l.get(ctx, keys...)
		return found, have.generation, err
	}
	return c.fetch(ctx, l, false, keys...)
}

// fetch fetches items and the generation. If the server has none, because it is new
// or has lost it, it is put back, or made where it is needed. If there is no room for it, it
// holds for this process all the same.
func (c *cache) fetch(ctx context.Context, l *lane, writes bool, keys ...string) (found items, g generation, err error) {
	// The server looks keys up in their order. With the generation last, no item
	// can be of a later one.
	keys = append(slices.Clip(keys), c.names.generation)
	for range maxRaces {
		sent := time.Now()
		if found, err = l.get(ctx, keys...); err != nil {
			return items{}, generation{}, err
		}
		if item := found.of(c.names.generation); item != nil {
			if g, err = parseGeneration(item); err != nil {
				return items{}, generation{}, err
			}
			return found, c.leases.renew(l.server, lease{g, sent, true}), nil
		}
		known, ok := c.leases.last(l.server)
		switch {
		case ok:
			g = known
		case writes:
			g = generation{stamp: uint64(time.Now().UnixNano())}
		default:
			return found, c.leases.renew(l.server, lease{generation{}, sent, false}), nil
		}
		sent = time.Now()
		// A read, since it changes no record whether or not it arrives.
		err = l.read(ctx, func(client *memcache.Client) error { return client.Add(g.item(c.names.generation)) })
		if err == nil || errors.Is(err, driver.ErrFull) {
			return found, c.leases.renew(l.server, lease{g, sent, true}), nil
		}
		if !errors.Is(err, memcache.ErrNotStored) {
			return items{}, generation{}, err
		}
	}
	return items{}, generation{}, errRaces(l)
}

// Clear implements driver.Clearer. It gives the cache a new generation on every
// server and waits until nobody uses the old one any more: about a second.
//
// If a server does not answer, nothing is cleared. If one fails while the others are
// being cleared, or ctx ends early, the error matches driver.ErrIndeterminate.
func (c *cache) Clear(ctx context.Context) error {
	present := make([]*memcache.Item, len(c.provider.servers))
	err := c.provider.each(func(s *server) error {
		return s.call(ctx, func(l *lane) (err error) {
			present[s.index], err = c.stored(ctx, l)
			return err
		})
	})
	if err != nil {
		return err
	}
	errs := c.provider.all(func(s *server) error {
		return s.call(ctx, func(l *lane) error { return c.advance(ctx, l, present[s.index]) })
	})
	switch err = join(errs); {
	case err == nil:
	case !slices.Contains(errs, nil) && !errors.Is(err, driver.ErrIndeterminate):
		return err // of every server; nothing was changed
	default:
		err = fmt.Errorf("%w: not every server was cleared: %v", driver.ErrIndeterminate, err) //nolint:errorlint // something was changed
		if cause := ended(ctx); cause != nil {
			err = fmt.Errorf("%w: %w", err, cause)
		}
		return err
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

// stored reads the generation's item, nil if there is none.
func (c *cache) stored(ctx context.Context, l *lane) (*memcache.Item, error) {
	found, err := l.get(ctx, c.names.generation)
	item := found.of(c.names.generation)
	if item != nil {
		_, err = parseGeneration(item)
	}
	return item, err
}

// advance gives the cache a generation on the lane's server whose floor is above all that is
// there.
func (c *cache) advance(ctx context.Context, l *lane, present *memcache.Item) error {
	for range maxRaces {
		var before generation
		store := (*memcache.Client).Add
		if present != nil {
			before, _ = parseGeneration(present) // stored has tried
			store = (*memcache.Client).CompareAndSwap
		}
		g := c.leases.next(l.server, before)
		item := g.item(c.names.generation)
		if present != nil {
			item.CasID = present.CasID
		}
		sent := time.Now()
		err := l.write(ctx, func(client *memcache.Client) error { return store(client, item) })
		if err == nil {
			c.leases.renew(l.server, lease{g, sent, true})
		}
		if !isAnswer(err) {
			return err
		}
		if present, err = c.stored(ctx, l); err != nil {
			return err
		}
	}
	return errRaces(l)
}

func errRaces(l *lane) error {
	return fmt.Errorf("%w: memcached %s: it keeps losing the generation of a cache; has it too little memory?",
		driver.ErrUnavailable, l.server.addr)
}
