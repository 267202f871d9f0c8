package hazelcast

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A cache is one map of the cluster. A record's token is the record itself: it begins
// with the identifier of its write, so a map that compares values compares versions.
type cache struct {
	*remoteMap
	longest  time.Duration            // that records live, as a rule; 0: unknown
	physical atomic.Pointer[physical] // as the members were found to be
	advised  atomic.Bool              // the operator knows what the map's configuration costs
	timeless atomic.Bool              // the same, of updates after a split
	mean     meanSize
}

// Info implements driver.Cache. Whether the map evicts is up to the members'
// configuration, which a client cannot see.
func (c *cache) Info() driver.Info {
	return driver.Info{
		MaxRecordBytes: c.provider.plan.maxRecordBytes,
		RequestTimeout: c.provider.plan.requestTimeout,
		ExpiryStep:     c.physical.Load().longest(),
		Shared:         true,
		Evicts:         true,
	}
}

// Unwrap implements driver.Unwrapper: it returns the client's *hazelcast.Map. The provider
// may replace its client when the connection was lost, so it should not be kept.
func (c *cache) Unwrap() any { return c.last.Load().Map }

// Close implements driver.Cache.
func (c *cache) Close() error {
	c.provider.forget(c)
	return nil
}

var errForeign = fmt.Errorf("%w: the map holds an entry that another program wrote; give caches a mapPrefix of their own", jcache.ErrUndecodable)

// item makes an item of what the client returned for a key: nothing, or the record.
func item(value any) (driver.Item, bool, error) {
	if value == nil {
		return driver.Item{}, false, nil
	}
	record, ok := value.([]byte)
	if !ok {
		return driver.Item{}, false, errForeign
	}
	return driver.Item{Record: record, Token: driver.Token{B: record}}, true, nil
}

// Get implements driver.Cache.
func (c *cache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	var value any
	var err error
	if large := c.mean.expects(1); large > 0 {
		value, err = queued(ctx, c.provider, large, func(ctx context.Context) (any, error) { return c.value(ctx, key) })
	} else {
		value, err = c.value(ctx, key)
	}
	if err != nil {
		return driver.Item{}, false, err
	}
	one, found, err := item(value)
	if found {
		c.mean.saw(one.Record)
	}
	return one, found, err
}

// value returns what the client returns for a key.
func (c *cache) value(ctx context.Context, key string) (value any, err error) {
	err = c.read(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		value, err = m.Get(ctx, key)
		return err
	})
	return value, err
}

// Put implements driver.Cache.
func (c *cache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	return c.writeChecked(ctx, func(ctx context.Context, m *hz.Map) error {
		return m.SetWithTTL(ctx, key, record, ttlFor(deadline, time.Now()))
	})
}

// Delete implements driver.Cache.
func (c *cache) Delete(ctx context.Context, key string) error {
	return c.write(ctx, func(ctx context.Context, m *hz.Map) error { return m.Delete(ctx, key) })
}

// Exchange implements driver.Exchanger.
func (c *cache) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	var previous any
	err := c.write(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		if record == nil {
			previous, err = m.Remove(ctx, key)
			return err
		}
		previous, err = m.PutWithTTL(ctx, key, record, ttlFor(deadline, time.Now()))
		if own, ok := previous.([]byte); ok && bytes.Equal(own, record) {
			return errRepeated
		}
		return err
	})
	if err != nil {
		return driver.Item{}, false, err
	}
	return item(previous)
}

// errRepeated: the client lost the connection and sent a request twice, so what was
// there before the first time is lost.
var errRepeated = errors.New("the request was carried out twice")

// Swap implements driver.Cache. Each of its requests is atomic on the member, but for
// what a replace may need to be kept long enough.
func (c *cache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (swapped bool, current *driver.Item, err error) {
	switch {
	case old.IsZero() && record == nil:
		present, found, err := c.Get(ctx, key)
		if err != nil || !found {
			return err == nil, nil, err
		}
		return false, &present, nil
	case old.IsZero():
		return c.create(ctx, key, record, deadline)
	case record == nil:
		err = c.writeChecked(ctx, func(ctx context.Context, m *hz.Map) (err error) {
			swapped, err = m.RemoveIfSame(ctx, key, old.B)
			return err
		})
		return swapped && err == nil, nil, err
	default:
		swapped, err = c.replace(ctx, key, old.B, record, deadline)
		return swapped, nil, err
	}
}

// create stores a record if the key is absent.
func (c *cache) create(ctx context.Context, key string, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	var present any
	err := c.writeChecked(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		present, err = m.PutIfAbsentWithTTL(ctx, key, record, ttlFor(deadline, time.Now()))
		return err
	})
	if err != nil {
		return false, nil, err
	}
	current, found, err := item(present)
	if err != nil || !found {
		return err == nil, nil, err
	}
	return false, &current, nil
}

// replace stores a record in the place of old, and makes the members keep it for as long
// as it lives.
func (c *cache) replace(ctx context.Context, key string, old, record []byte, deadline time.Time) (swapped bool, err error) {
	ctx, cancel := c.provider.bound(ctx)
	defer cancel()
	err = c.writeChecked(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		swapped, err = m.ReplaceIfSame(ctx, key, old, record)
		return err
	})
	// If the outcome is unknown, the caller finds out later, and then the record
	// must have its life too. Setting somebody else's does no harm.
	if swapped || errors.Is(err, driver.ErrIndeterminate) {
		now := time.Now()
		if ttl, needed := c.physical.Load().afterReplace(deadline, now); needed {
			c.adviseSpeed(deadline.Sub(now))
			err = errors.Join(err, c.keep(ctx, key, ttl))
		}
	}
	return swapped && err == nil, err
}

// keep sets the TTL of an entry that was just replaced.
func (c *cache) keep(ctx context.Context, key string, ttl time.Duration) error {
	set := func(ctx context.Context, m *hz.Map) error { return m.SetTTL(ctx, key, ttl) }
	if c.physical.Load().byDefault == 0 {
		// The entry is eternal for the members if this fails, and dead to
		// everybody else at its deadline.
		_ = c.writeChecked(ctx, set)
		return nil
	}
	// The entry dies with the map's default if this fails, so it is tried for as
	// long as the caller waits.
	for {
		err := c.writeChecked(ctx, set)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w: the record may expire too early: %w", driver.ErrIndeterminate, ctx.Err())
		case <-time.After(100 * time.Millisecond):
		}
	}
}
