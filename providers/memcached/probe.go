package memcached

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"

	"github.com/bradfitz/gomemcache/memcache"
)

// probe tries on a key of its own what the driver relies on. It asks for abilities
// rather than for a version, because other servers speak the protocol too.
func probe(ctx context.Context, l *lane, prefix string) error {
	item := &memcache.Item{Key: prefix + ":@" + rand.Text(), Value: []byte("probe"), Expiration: 10}
	do := func(request func(*memcache.Client, *memcache.Item) error) error {
		return l.read(ctx, func(c *memcache.Client) error { return request(c, item) })
	}
	if err := do((*memcache.Client).Set); err != nil {
		return err
	}
	found, err := l.get(ctx, item.Key)
	if err != nil {
		return err
	}
	present := found.of(item.Key)
	switch {
	case present == nil:
		return fmt.Errorf("%w: it forgets at once what it stores", errUnusable)
	case present.CasID == 0:
		return fmt.Errorf("%w: it gives items no cas numbers; start it without -C", errUnusable)
	}
	item.Expiration, item.CasID = -1, present.CasID+1
	switch err := do((*memcache.Client).CompareAndSwap); {
	case err == nil:
		return fmt.Errorf("%w: its cas does not compare", errUnusable)
	case errors.Is(err, errRefused):
		return fmt.Errorf("%w: it has no cas with a negative expiry, which removes an item; "+
			"memcached has, other servers with its protocol may not", errUnusable)
	case !isAnswer(err):
		return err
	}
	item.CasID = present.CasID
	if err := do((*memcache.Client).CompareAndSwap); err != nil {
		return err
	}
	found, err = l.get(ctx, item.Key)
	if err == nil && found.of(item.Key) != nil {
		return fmt.Errorf("%w: its cas with a negative expiry does not remove an item", errUnusable)
	}
	return err
}
