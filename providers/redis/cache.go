package redis

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A cache is the records of one name.
type cache struct {
	provider *Provider
	base     string // prefix:name
	info     driver.Info
	lease    atomic.Pointer[lease]
}

// Info implements driver.Cache.
func (c *cache) Info() driver.Info { return c.info }

// Unwrap implements driver.Unwrapper: it returns a rueidis.Client.
func (c *cache) Unwrap() any { return c.provider.client }

// Close implements driver.Cache.
func (c *cache) Close() error { return nil }

// Placement implements driver.Locality: no key is nearer than another one, and all are
// unavailable while no server answers.
func (c *cache) Placement(string) driver.Placement {
	if c.provider.health.down() {
		return driver.Unavailable
	}
	return driver.Anywhere
}

// check refuses a record that is too large before it is sent.
func (c *cache) check(record []byte) error {
	if len(record) > c.info.MaxRecordBytes {
		return fmt.Errorf("%w: a record of %d bytes, maxRecordBytes is %d", driver.ErrTooLarge, len(record), c.info.MaxRecordBytes)
	}
	return nil
}

func get(name string) request {
	return func(b rueidis.Builder) rueidis.Completed { return b.Get().Key(name).Build() }
}

// set stores a record whatever was there, and is answered with what that was, if asked.
func set(name string, v *value, deadline, now time.Time, previous bool) request {
	return func(b rueidis.Builder) rueidis.Completed {
		v.sent++
		set := b.Set().Key(name).Value(rueidis.BinaryString(v.bytes))
		switch ms := life(deadline, now, grace); {
		case ms == 0 && previous:
			return set.Get().Build()
		case ms == 0:
			return set.Build()
		case previous:
			return set.Get().PxMilliseconds(ms).Build()
		default:
			return set.PxMilliseconds(ms).Build()
		}
	}
}

// item returns what is in an answer.
func (c *cache) item(m rueidis.RedisMessage) (item driver.Item, found bool, err error) {
	if m.IsNil() {
		return driver.Item{}, false, nil
	}
	value, err := m.AsBytes()
	if err != nil {
		return driver.Item{}, false, errForeign
	}
	if item, found, err = open(value, time.Now()); found && c.provider.traits.values {
		item.Token.B = value
	}
	return item, found, err
}

// Get implements driver.Cache.
func (c *cache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	if l, now := c.lease.Load(), time.Now(); l.valid(now) {
		m, err := c.provider.call(ctx, now, c.provider.client, false, get(l.head+key))
		if err != nil {
			return driver.Item{}, false, err
		}
		return c.item(m)
	}
	messages, err := c.readAll(ctx, []string{key})
	if err != nil {
		return driver.Item{}, false, err
	}
	return c.item(messages[0])
}

// GetBatch implements driver.BatchGetter.
func (c *cache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	messages, err := c.readAll(ctx, keys)
	if err != nil {
		return nil, err
	}
	items := make([]driver.Item, 0, len(keys))
	for i, m := range messages {
		one, found, err := c.item(m)
		if err != nil {
			return nil, err
		}
		if found {
			one.Key = keys[i]
			items = append(items, one)
		}
	}
	return items, nil
}

// Put implements driver.Cache.
func (c *cache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	if err := c.check(record); err != nil {
		return err
	}
	l, now, err := c.generationNow(ctx)
	switch {
	case err != nil:
	case l.watched:
		_, err = c.change(ctx, l, change{kind: anyway, key: key, record: record, deadline: deadline})
	default:
		v := newValue(record, deadline)
		if _, err = c.provider.call(ctx, now, c.provider.client, true, set(l.head+key, v, deadline, now, false)); err == nil {
			v.answered()
		}
	}
	return err
}

// PutBatch implements driver.BatchPutter.
func (c *cache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	l, err := c.generation(ctx)
	errs := make([]error, len(entries))
	var which []int
	for i, e := range entries {
		if errs[i] = err; err == nil {
			errs[i] = c.check(e.Record)
		}
		if errs[i] == nil {
			which = append(which, i)
		}
	}
	if len(which) > 0 {
		put := make([]driver.Entry, len(which))
		for i, n := range which {
			put[i] = entries[n]
		}
		for i, failed := range c.putAll(ctx, l, put) {
			errs[which[i]] = failed
		}
	}
	for _, failed := range errs {
		if failed != nil {
			return errs
		}
	}
	return nil
}

// putAll puts every entry, and returns an error or nil for each.
func (c *cache) putAll(ctx context.Context, l *lease, entries []driver.Entry) []error {
	if l.watched {
		return c.changeAll(ctx, l, entries)
	}
	requests, now := make([]request, len(entries)), time.Now()
	for i, e := range entries {
		requests[i] = set(l.head+e.Key, newValue(e.Record, e.Deadline), e.Deadline, now, false)
	}
	_, errs := c.provider.callAll(ctx, true, requests)
	return errs
}

// Delete implements driver.Cache.
func (c *cache) Delete(ctx context.Context, key string) error {
	l, err := c.generation(ctx)
	switch {
	case err != nil:
	case l.watched:
		_, err = c.change(ctx, l, change{kind: anyway, key: key})
	default:
		_, err = c.provider.write(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Del().Key(l.head + key).Build() })
	}
	return err
}

// Exchange implements driver.Exchanger.
func (c *cache) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	l, err := c.generation(ctx)
	if err == nil {
		err = c.check(record)
	}
	if err != nil {
		return driver.Item{}, false, err
	}
	if l.watched {
		m, err := c.change(ctx, l, change{kind: exchange, key: key, record: record, deadline: deadline})
		if err != nil {
			return driver.Item{}, false, err
		}
		return c.item(m)
	}
	r := set(l.head+key, newValue(record, deadline), deadline, time.Now(), true)
	if record == nil {
		r = func(b rueidis.Builder) rueidis.Completed { return b.Getdel().Key(l.head + key).Build() }
	}
	m, err := c.provider.write(ctx, r)
	if err != nil {
		return driver.Item{}, false, err
	}
	return c.item(m)
}

// Touch implements driver.Toucher. The record stays where it is: only what stands before it is
// written.
func (c *cache) Touch(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	l, err := c.generation(ctx)
	if err != nil {
		return false, err
	}
	if c.provider.traits.values {
		return c.touchValue(ctx, l, key, token, deadline)
	}
	now := time.Now()
	m, err := c.provider.runOn(ctx, c.provider.traits.touch, runnable{c.noted(l, key), []string{
		text(now.UnixMilli()), string(token.B), string(appendEnvelope(nil, deadline)), text(life(deadline, now, l.grace())),
		text(milliseconds(deadline)), text(deadlinesFor.Milliseconds()),
	}})
	if err != nil {
		return false, err
	}
	n, err := m.AsInt64()
	if n == 1 {
		c.note(ctx, l, map[string]time.Time{key: deadline})
	}
	return n == 1, err
}

// Swap implements driver.Cache.
func (c *cache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	l, err := c.generation(ctx)
	if err == nil {
		err = c.check(record)
	}
	if err != nil {
		return false, nil, err
	}
	if c.provider.traits.values {
		return c.swapValue(ctx, l, key, old, record, deadline)
	}
	var m rueidis.RedisMessage
	if l.watched {
		m, err = c.change(ctx, l, change{kind: onlyIf, id: old.B, key: key, record: record, deadline: deadline})
	} else {
		now := time.Now()
		m, err = c.provider.run(ctx, swapScript, l.head+key, text(now.UnixMilli()), string(old.B), sealed(record, deadline), text(life(deadline, now, grace)))
	}
	if err != nil {
		return false, nil, err
	}
	if m.IsInt64() {
		return true, nil, nil
	}
	current, found, err := c.item(m)
	if err != nil || !found {
		return false, nil, err
	}
	return false, &current, nil
}
