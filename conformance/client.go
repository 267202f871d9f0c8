package conformance

import (
	"encoding/binary"
	"math/rand/v2"
	"runtime"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A client is what one client sees of the case's cache. Its calls end the case if
// they fail; records stand as their texts.
type client struct {
	driver.Cache
	e *env
	f driver.Features
}

// open opens the case's cache for the first client.
func (e *env) open() client { return e.openAs(0, e.name) }

// pair opens the case's cache for both clients.
func (e *env) pair() (a, b client) { return e.openAs(0, e.name), e.openAs(1, e.name) }

func (e *env) openAs(who int, name string) client { return e.openOn(e.conns[who], name) }

func (e *env) openOn(p driver.Provider, name string) client {
	c, err := p.OpenCache(e.ctx, name, driver.CacheOptions{})
	e.ok(err)
	e.Cleanup(func() {
		if err := c.Close(); err != nil {
			e.Errorf("close the cache: %v", err)
		}
	})
	return client{c, e, driver.FeaturesOf(c)}
}

// record makes a record of a text: a write id and the text.
func record(text string) []byte {
	r := binary.LittleEndian.AppendUint64(make([]byte, 0, driver.WriteIDBytes+len(text)), rand.Uint64())
	return append(r, text...)
}

func text(item driver.Item) string {
	if len(item.Record) < driver.WriteIDBytes {
		return "a record without a write id"
	}
	return string(item.Record[driver.WriteIDBytes:])
}

// never is the deadline of a record that does not expire.
var never time.Time

// in is a deadline as the portable layer makes them: in whole milliseconds.
func in(d time.Duration) time.Time { return time.UnixMilli(time.Now().Add(d).UnixMilli()) }

// get returns the text of the record, or absent.
func (c client) get(key string) string {
	item, found, err := c.Get(c.e.ctx, key)
	return c.e.value(textIf(item, found), found, err)
}

func textIf(item driver.Item, found bool) string {
	if !found {
		return ""
	}
	return text(item)
}

// item returns a record that must be there.
func (c client) item(key string) driver.Item {
	item, found, err := c.Get(c.e.ctx, key)
	c.e.ok(err)
	if !found {
		c.e.Fatalf("a record that was written is not there")
	}
	return item
}

// patience is how often something is tried that a slow machine may be too slow for.
const patience = 10

// short stores a record that expires soon, and returns it.
func (c client) short(key string, ttl time.Duration) driver.Item {
	for range patience {
		c.putUntil(key, "older", in(ttl))
		if item, found, err := c.Get(c.e.ctx, key); found || err != nil {
			c.e.ok(err)
			return item
		}
	}
	c.e.breaks(&rule{ruleNotEarly, "driver contract 4"}, "a record is gone long before its deadline, or this machine is too slow for %v", ttl)
	runtime.Goexit()
	return driver.Item{}
}

func (c client) put(key, text string) { c.putUntil(key, text, never) }

func (c client) putUntil(key, text string, deadline time.Time) {
	c.e.ok(c.Put(c.e.ctx, key, record(text), deadline))
}

func (c client) delete(key string) { c.e.ok(c.Delete(c.e.ctx, key)) }

// swap swaps a record in; an empty text removes the key.
func (c client) swap(key string, old driver.Token, text string) (swapped bool, current *driver.Item) {
	return c.swapUntil(key, old, text, never)
}

func (c client) swapUntil(key string, old driver.Token, text string, deadline time.Time) (swapped bool, current *driver.Item) {
	var r []byte
	if text != "" {
		r = record(text)
	}
	swapped, current, err := c.Swap(c.e.ctx, key, old, r, deadline)
	c.e.ok(err)
	return swapped, current
}

// exchange exchanges the record; an empty text removes the key.
func (c client) exchange(key, text string, deadline time.Time) (previous string) {
	var r []byte
	if text != "" {
		r = record(text)
	}
	item, existed, err := c.f.Exchanger.Exchange(c.e.ctx, key, r, deadline)
	return c.e.value(textIf(item, existed), existed, err)
}

// batch returns the texts of the records that GetBatch finds.
func (c client) batch(keys ...string) map[string]string {
	items, err := c.f.BatchGetter.GetBatch(c.e.ctx, keys)
	c.e.ok(err)
	return c.texts(items)
}

// scan returns the texts of all records.
func (c client) scan() map[string]string {
	var items []driver.Item
	for item, err := range c.f.Scanner.Scan(c.e.ctx) {
		c.e.ok(err)
		items = append(items, item)
	}
	return c.texts(items)
}

func (c client) texts(items []driver.Item) map[string]string {
	found := make(map[string]string, len(items))
	for _, item := range items {
		if _, twice := found[item.Key]; twice {
			c.e.Errorf("an item was returned twice")
		}
		found[item.Key] = text(item)
	}
	return found
}

func (c client) size() int {
	n, err := c.f.Sizer.Size(c.e.ctx)
	c.e.ok(err)
	return n
}
