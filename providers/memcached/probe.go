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
	switch err := l.remove(ctx, item.Key, present.CasID+1); {
	case err == nil:
		return fmt.Errorf("%w: it removes an item on condition of a cas number that it has not", errUnusable)
	case errors.Is(err, errRefused):
		return fmt.Errorf("%w: it has no meta commands, which memcached has since 1.6", errUnusable)
	case !isAnswer(err):
		return err
	}
	item.CasID = present.CasID + 1
	switch err := do((*memcache.Client).CompareAndSwap); {
	case err == nil:
		return fmt.Errorf("%w: its cas does not compare", errUnusable)
	case !isAnswer(err):
		return err
	}
	if err := l.remove(ctx, item.Key, present.CasID); err != nil {
		return err
	}
	found, err = l.get(ctx, item.Key)
	if err == nil && found.of(item.Key) != nil {
		return fmt.Errorf("%w: it does not remove an item on condition of its cas number", errUnusable)
	}
	return err
}
