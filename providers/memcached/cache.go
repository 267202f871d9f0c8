package memcached

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A cache is the records of one name on all servers.
type cache struct {
	provider *Provider
	names    names
	leases   leases
	info     driver.Info
}

// Info implements driver.Cache.
func (c *cache) Info() driver.Info { return c.info }

// Unwrap implements driver.Unwrapper: it returns a *memcache.Client.
func (c *cache) Unwrap() any { return c.provider.client }

// Close implements driver.Cache.
func (c *cache) Close() error { return nil }

// A place is where a key is stored.
type place struct {
	key    string
	server *server
	name   string // the key on the server
	hashed bool   // name holds the key's hash
}

func (c *cache) place(key string) place {
	name, hashed := c.names.stored(key)
	return place{key: key, server: c.provider.serverOf(name), name: name, hashed: hashed}
}

// Placement implements driver.Locality: no key is nearer than another one, but those of a
// server that is down are unavailable.
func (c *cache) Placement(key string) driver.Placement {
	if c.place(key).server.down() {
		return driver.Unavailable
	}
	return driver.Anywhere
}

// kept returns what the envelope must keep of the key.
func (p place) kept() string {
	if p.hashed {
		return p.key
	}
	return ""
}

// item builds what is to be stored. Too large an item is never sent: memcached
// answers a set of one by removing what was there.
func (p place) item(l *lane, g generation, record []byte, deadline time.Time) (*memcache.Item, error) {
	value := seal(g.stamp, p.kept(), record)
	if size := itemOverhead + len(p.name) + len(value); size > l.conn.limit {
		return nil, fmt.Errorf("%w: an item of %d bytes, memcached %s takes %d", driver.ErrTooLarge, size, l.server.addr, l.conn.limit)
	}
	return &memcache.Item{Key: p.name, Value: value, Expiration: expiration(time.Now(), deadline)}, nil
}

// errCollision: somebody has found two texts with the same SHA-256.
var errCollision = errors.New("another key is stored where this one belongs")

// live opens an item that was read together with a generation, or under a lease of
// it. What was cleared is not there any more.
func (p place) live(l *lane, item *memcache.Item, g generation) (driver.Item, bool, error) {
	if item == nil {
		return driver.Item{}, false, nil
	}
	e, err := open(item.Value)
	if err != nil || e.stamp < g.floor {
		return driver.Item{}, false, err
	}
	if string(e.key) != p.kept() {
		return driver.Item{}, false, errCollision
	}
	return driver.Item{Key: p.key, Record: e.record, Token: newToken(l, item, e)}, true, nil
}

// Get implements driver.Cache.
func (c *cache) Get(ctx context.Context, key string) (item driver.Item, found bool, err error) {
	p := c.place(key)
	err = p.server.call(ctx, func(l *lane) error {
		items, g, err := c.read(ctx, l, p.name)
		if err == nil {
			item, found, err = p.live(l, items.of(p.name), g)
		}
		return err
	})
	if errors.Is(err, errCollision) {
		err = nil
	}
	return item, found, err
}

// GetBatch implements driver.BatchGetter. It is one exchange with each server that
// has some of the keys, all at once.
func (c *cache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	batches := make([][]place, len(c.provider.servers))
	for _, key := range keys {
		p := c.place(key)
		batches[p.server.index] = append(batches[p.server.index], p)
	}
	found := make([][]driver.Item, len(batches))
	err := c.provider.each(func(s *server) error {
		batch := batches[s.index]
		if len(batch) == 0 {
			return nil
		}
		return s.call(ctx, func(l *lane) (err error) {
			found[s.index], err = c.readBatch(ctx, l, batch)
			return err
		})
	})
	if err != nil {
		return nil, err
	}
	return slices.Concat(found...), nil
}

func (c *cache) readBatch(ctx context.Context, l *lane, batch []place) ([]driver.Item, error) {
	keys := make([]string, len(batch))
	for i, p := range batch {
		keys[i] = p.name
	}
	items, g, err := c.read(ctx, l, keys...)
	if err != nil {
		return nil, err
	}
	found := make([]driver.Item, 0, len(batch))
	for _, p := range batch {
		item, ok, err := p.live(l, items.of(p.name), g)
		if err != nil && !errors.Is(err, errCollision) {
			return nil, err
		}
		if ok {
			found = append(found, item)
		}
	}
	return found, nil
}

// Put implements driver.Cache.
func (c *cache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	p := c.place(key)
	return p.server.call(ctx, func(l *lane) error {
		g, err := c.generation(ctx, l)
		if err != nil {
			return err
		}
		item, err := p.item(l, g, record, deadline)
		if err != nil {
			return err
		}
		return l.write(ctx, func(client *memcache.Client) error { return client.Set(item) })
	})
}

// Delete implements driver.Cache.
func (c *cache) Delete(ctx context.Context, key string) error {
	p := c.place(key)
	err := p.server.call(ctx, func(l *lane) error {
		return l.write(ctx, func(client *memcache.Client) error { return client.Delete(p.name) })
	})
	if errors.Is(err, memcache.ErrCacheMiss) {
		return nil
	}
	return err
}
