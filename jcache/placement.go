package jcache

import (
	"context"
	"errors"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Placement says who serves a key.
type Placement = driver.Placement

// The placements: some server, and no key is nearer than another one; this process itself;
// another process, where this one serves other keys; nobody at the moment.
const (
	Anywhere    = driver.Anywhere
	Local       = driver.Local
	Remote      = driver.Remote
	Unavailable = driver.Unavailable
)

// Placement says who serves the key, as far as that is known without asking anybody. Who can
// choose a key chooses one that is Local, or at least not Unavailable. Where nothing is
// known, and on a closed cache, it is Anywhere.
func (c *Cache[K, V]) Placement(key K) Placement {
	p, _ := c.placement(key)
	return p
}

func (c *Cache[K, V]) placement(key K) (p Placement, known bool) {
	call, err := c.store.EnterUnbounded(context.Background())
	if errors.Is(err, ErrUnavailable) { // it has not been reached yet
		return Unavailable, true
	}
	if err != nil {
		return Anywhere, false
	}
	defer call.Leave()
	stored, err := c.storedKey(&call, key)
	p, known = call.Placement(stored)
	if err != nil {
		p = Anywhere
	}
	return p, known
}
