package main

import (
	"context"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// The smallest provider there can be: a map and a lock. All of jcache works on it,
// except what needs a list of the entries.
func init() {
	jcache.Register(driver.Definition{
		Name:     "tiny",
		Doc:      "A map and a lock.",
		Settings: settings,
		Open: func(_ context.Context, cfg driver.Config) (driver.Provider, error) {
			p := new(provider)
			setting.Fill(settings, cfg.Values, &p.options)
			return p, nil
		},
	})
}

// options are what a configuration file can say. What is declared here is checked, documented
// and part of the schema.
type options struct{ MaxEntries int64 }

var settings = []setting.Setting{
	setting.Into(setting.Setting{Name: "maxEntries", Doc: "Bound on the number of entries of each cache; 0: none."},
		func(o *options) *int64 { return &o.MaxEntries }),
}

type provider struct {
	options

	mu     sync.Mutex
	caches map[string]*cache
}

func (p *provider) OpenCache(_ context.Context, name string, _ driver.CacheOptions) (driver.Cache, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.caches[name] == nil {
		if p.caches == nil {
			p.caches = make(map[string]*cache)
		}
		p.caches[name] = &cache{max: p.MaxEntries, items: make(map[string]driver.Item)}
	}
	return p.caches[name], nil
}

func (p *provider) Ping(context.Context) error  { return nil }
func (p *provider) Close(context.Context) error { return nil }

type cache struct {
	max int64 // or zero

	mu      sync.Mutex
	version uint64
	items   map[string]driver.Item
}

func (c *cache) Info() driver.Info { return driver.Info{} }
func (c *cache) Close() error      { return nil }

func (c *cache) Get(_ context.Context, key string) (driver.Item, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	item, ok := c.live(key)
	return item, ok, nil
}

func (c *cache) Put(_ context.Context, key string, record []byte, deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.set(key, record, deadline)
}

func (c *cache) Delete(_ context.Context, key string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.items, key)
	return nil
}

func (c *cache) Swap(_ context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	item, ok := c.live(key)
	if item.Token.N != old.N { // an absent key has the zero token
		if !ok {
			return false, nil, nil
		}
		return false, &item, nil
	}
	if record == nil {
		delete(c.items, key)
		return true, nil, nil
	}
	err := c.set(key, record, deadline)
	return err == nil, nil, err
}

// set stores a record under a version that no other has had.
func (c *cache) set(key string, record []byte, deadline time.Time) error {
	if _, ok := c.items[key]; !ok && c.max > 0 && int64(len(c.items)) >= c.max {
		return driver.ErrFull
	}
	c.version++
	c.items[key] = driver.Item{Record: record, Token: driver.Token{N: c.version}, Deadline: deadline}
	return nil
}

// live returns the item of a key, and drops it if it is dead. Drivers without
// driver.Toucher leave Deadline out of what they return.
func (c *cache) live(key string) (driver.Item, bool) {
	item, ok := c.items[key]
	if ok && !item.Deadline.IsZero() && !time.Now().Before(item.Deadline) {
		delete(c.items, key)
		return driver.Item{}, false
	}
	item.Deadline = time.Time{}
	return item, ok
}
