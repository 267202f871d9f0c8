package redis

import (
	"cmp"
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// leaseTime is how long a generation may be used after the request that fetched it was sent.
	leaseTime = time.Second
	// clearWait is how long Clear waits for all leases to end: a lease, and what clocks that
	// run at different speeds can make of it.
	clearWait = leaseTime + 50*time.Millisecond
)

// A lease is a generation that was fetched, and when. The records of a generation are stored
// under keys of their own, so who writes with an old one harms nobody.
type lease struct {
	number  int64     // zero: the cache was never cleared
	head    string    // what stands before the keys
	watched bool      // writes must be told
	fetched time.Time // before the request was sent
}

// generationKey is where the cache's generation is kept.
func (c *cache) generationKey() string { return c.base + "@generation" }

// headOf returns what stands before the keys of a generation. The name of a cache has no @ and no
// colon.
func (c *cache) headOf(number int64) string {
	if number == 0 {
		return c.base + ":"
	}
	return c.base + "@" + text(number) + ":"
}

// grace is how much longer than they live records are kept.
func (l *lease) grace() time.Duration {
	if l.watched {
		return watchedGrace
	}
	return grace
}

// valid reports whether a lease has not ended. The monotonic clock stands still while a machine is
// suspended; the other one does not.
func (l *lease) valid(now time.Time) bool {
	return now.Sub(l.fetched) < leaseTime && now.Round(0).Sub(l.fetched.Round(0)) < leaseTime
}

// generation returns a valid lease.
func (c *cache) generation(ctx context.Context) (*lease, error) {
	l, _, err := c.generationNow(ctx)
	return l, err
}

// generationNow is generation, and says what time it is then.
func (c *cache) generationNow(ctx context.Context) (*lease, time.Time, error) {
	asked := time.Now()
	if have := c.lease.Load(); have.valid(asked) {
		return have, asked, nil
	}
	messages, err := c.readIn(ctx, nil, nil, c.state())
	if err != nil {
		return nil, asked, err
	}
	l, err := c.learn(ctx, messages, asked)
	return l, time.Now(), err
}

// state asks for what a lease knows.
func (c *cache) state() []request { return []request{get(c.generationKey()), get(c.watchedKey())} }

// learn keeps the state in an answer, and returns what is the cache's now.
func (c *cache) learn(ctx context.Context, state []rueidis.RedisMessage, asked time.Time) (*lease, error) {
	number, err := numberIn(state[0])
	if err != nil {
		return nil, err
	}
	if have := c.lease.Load(); number < have.number {
		// The server has lost it, or the answer was overtaken.
		if number, err = c.restore(ctx, have.number); err != nil {
			return nil, err
		}
	}
	return c.keep(lease{number: number, watched: !state[1].IsNil(), fetched: asked}), nil
}

// keep keeps a lease unless there is a later one.
func (c *cache) keep(fresh lease) *lease {
	for {
		have := c.lease.Load()
		if have.number > fresh.number || have.number == fresh.number && have.fetched.After(fresh.fetched) {
			return have
		}
		if fresh.head = have.head; fresh.number != have.number {
			fresh.head = c.headOf(fresh.number)
		}
		if c.lease.CompareAndSwap(have, &fresh) {
			return &fresh
		}
	}
}

// restore puts back a generation that the server has lost, and returns the one that it has now.
func (c *cache) restore(ctx context.Context, number int64) (int64, error) {
	if c.provider.traits.values {
		return c.raise(ctx, func(now int64) int64 { return max(now, number) })
	}
	m, err := c.provider.run(ctx, restoreScript, c.generationKey(), text(number))
	if err != nil {
		return 0, err
	}
	return numberIn(m)
}

// errNoNumber: unlike a record it is nothing that the cache can do without.
var errNoNumber = fmt.Errorf("%w: the cache's generation on the server is not a number; if another program wrote it, give the caches a prefix of their own", driver.ErrMisconfigured)

func numberIn(m rueidis.RedisMessage) (int64, error) {
	if m.IsNil() {
		return 0, nil
	}
	digits, err := m.ToString()
	if err != nil {
		return 0, errNoNumber
	}
	number, err := strconv.ParseInt(digits, 10, 64)
	if err != nil || number < 1 {
		return 0, errNoNumber
	}
	return number, nil
}

// readAll reads the values of keys in one round trip, and the state with them if the lease
// has ended.
func (c *cache) readAll(ctx context.Context, keys []string) ([]rueidis.RedisMessage, error) {
	l, asked := c.lease.Load(), time.Now()
	if l.valid(asked) {
		return c.readIn(ctx, l, keys, nil)
	}
	messages, err := c.readIn(ctx, l, keys, c.state())
	if err != nil {
		return nil, err
	}
	fresh, err := c.learn(ctx, messages[len(keys):], asked)
	if err != nil {
		return nil, err
	}
	if fresh.number != l.number {
		return c.readIn(ctx, fresh, keys, nil)
	}
	return messages[:len(keys)], nil
}

// readIn reads the values of keys in a generation, and more besides.
func (c *cache) readIn(ctx context.Context, l *lease, keys []string, more []request) ([]rueidis.RedisMessage, error) {
	requests := make([]request, 0, len(keys)+len(more))
	for _, key := range keys {
		requests = append(requests, get(l.head+key))
	}
	messages, errs := c.provider.callAll(ctx, false, append(requests, more...))
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return messages, nil
}

// Clear implements driver.Clearer.
func (c *cache) Clear(ctx context.Context) error {
	ctx, cancel := c.provider.bound(ctx)
	defer cancel()
	number, err := c.clear(ctx)
	if err != nil {
		return err
	}
	c.keep(lease{number: number}) // the rest of the state is fetched by whoever needs it
	if !wait(ctx, clearWait) {
		return failure(ctx, context.DeadlineExceeded, true)
	}
	c.provider.sweep(c.base, number)
	return nil
}

// clear begins the next generation.
func (c *cache) clear(ctx context.Context) (int64, error) {
	least := max(time.Now().UnixMilli(), c.lease.Load().number+1)
	if !c.provider.traits.values {
		m, err := c.provider.run(ctx, raiseScript, c.generationKey(), text(least), c.channel())
		if err != nil {
			return 0, err
		}
		return numberIn(m)
	}
	if l, err := c.generation(ctx); err != nil || l.watched {
		return 0, cmp.Or(err, errUntold)
	}
	return c.raise(ctx, func(now int64) int64 { return max(now+1, least) })
}

var _ driver.Clearer = (*cache)(nil)
