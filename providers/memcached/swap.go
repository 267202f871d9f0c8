package memcached

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A token is the item's cas number, the stamp by which a Clear is noticed, and the process
// that gave the number out: a server that was restarted counts from one again.
const tokenBytes = 8 + 8

func newToken(l *lane, item *memcache.Item, e envelope) driver.Token {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, tokenBytes), e.stamp)
	return driver.Token{N: item.CasID, B: binary.BigEndian.AppendUint64(b, l.conn.process)}
}

// Swap implements driver.Cache.
func (c *cache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (swapped bool, current *driver.Item, err error) {
	p := c.place(key)
	err = p.server.call(ctx, func(l *lane) (err error) {
		switch {
		case !old.IsZero():
			swapped, err = c.replace(ctx, l, p, old, record, deadline)
		case record != nil:
			swapped, current, err = c.add(ctx, l, p, record, deadline)
		default:
			current, _, err = c.present(ctx, l, p)
			swapped = err == nil && current == nil
		}
		return err
	})
	return swapped, current, err
}

// replace stores or removes if the token is still the present one.
func (c *cache) replace(ctx context.Context, l *lane, p place, old driver.Token, record []byte, deadline time.Time) (bool, error) {
	if current, err := c.current(ctx, l, old); !current {
		return false, err
	}
	if record == nil {
		return answered(l.remove(ctx, p.name, old.N))
	}
	return c.cas(ctx, l, p, old.N, record, deadline)
}

// current reports whether a token may be that of an item that is there: it is one of this
// driver, of the server's process, and what it stands for was not cleared.
func (c *cache) current(ctx context.Context, l *lane, token driver.Token) (bool, error) {
	if len(token.B) != tokenBytes || binary.BigEndian.Uint64(token.B[8:]) != l.conn.process {
		return false, nil
	}
	g, err := c.generation(ctx, l)
	return err == nil && binary.BigEndian.Uint64(token.B) >= g.floor, err
}

// add stores if there is nothing, or only an item that was cleared.
func (c *cache) add(ctx context.Context, l *lane, p place, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	g, err := c.generation(ctx, l)
	if err != nil {
		return false, nil, err
	}
	item, err := p.item(l, g, record, deadline)
	if err != nil {
		return false, nil, err
	}
	err = l.write(ctx, func(client *memcache.Client) error { return client.Add(item) })
	if !errors.Is(err, memcache.ErrNotStored) {
		return err == nil, nil, err
	}
	current, cleared, err := c.present(ctx, l, p)
	if err != nil || current != nil || cleared == 0 {
		return false, current, err
	}
	swapped, err := c.cas(ctx, l, p, cleared, record, deadline)
	return swapped, nil, err
}

// present returns the item of a key, or the cas number of one that was cleared.
func (c *cache) present(ctx context.Context, l *lane, p place) (current *driver.Item, cleared uint64, err error) {
	items, g, err := c.read(ctx, l, p.name)
	if err != nil || items.of(p.name) == nil {
		return nil, 0, err
	}
	item, ok, err := p.live(l, items.of(p.name), g)
	if err != nil || !ok {
		return nil, items.of(p.name).CasID, err
	}
	return &item, 0, nil
}

// cas stores if the item still has the number.
func (c *cache) cas(ctx context.Context, l *lane, p place, number uint64, record []byte, deadline time.Time) (bool, error) {
	g, err := c.generation(ctx, l)
	if err != nil {
		return false, err
	}
	item, err := p.item(l, g, record, deadline)
	if err != nil {
		return false, err
	}
	item.CasID = number
	return answered(l.write(ctx, func(client *memcache.Client) error { return client.CompareAndSwap(item) }))
}

// answered is the outcome of a write on condition of a cas number: there may be another
// number, or no item.
func answered(err error) (done bool, _ error) {
	if isAnswer(err) {
		return false, nil
	}
	return err == nil, err
}
