package httpsession

import (
	"bytes"
	"context"
	"errors"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// tombstoneTTL is how long the record of a session that has ended stays. A request
// that outlives it finds nothing, which is as good: a request never creates a
// session under an id that it was sent.
const tombstoneTTL = 10 * time.Minute

// A store keeps records in a cache. It is where this package meets jcache.
type store struct {
	cache *jcache.Cache[string, record]
}

type entry = jcache.Entry[string, record]

func openStore(ctx context.Context, caches *jcache.CacheManager, name string, lifetime func() time.Duration) (store, error) {
	cache, err := jcache.CreateCache(ctx, caches, name, jcache.Options[string, record]{
		Codec:  recordCodec{},
		Expiry: expiryPolicy{lifetime},
	})
	return store{cache}, err
}

// expiryPolicy derives an entry's expiry from the session itself.
type expiryPolicy struct {
	lifetime func() time.Duration
}

func (p expiryPolicy) OnCreate(_ string, r record) jcache.Expiry {
	if r.state != live {
		return jcache.After(tombstoneTTL)
	}
	return r.expiry(time.Now(), p.lifetime())
}

func (p expiryPolicy) OnUpdate(key string, r record) jcache.Expiry { return p.OnCreate(key, r) }

// OnAccess keeps the deadline: uses are recorded by touch, now and then.
func (p expiryPolicy) OnAccess(string, record) jcache.Expiry { return jcache.Keep() }

// find reads a session or its tombstone. One round trip.
func (s store) find(ctx context.Context, id string) (entry, bool, error) {
	return s.cache.GetEntry(ctx, storeKey(id))
}

// maxDraws bounds how many ids are drawn in search of a local one. In a grid of n servers
// one of n is local, so that of 16 servers hardly one session in eight is not.
const maxDraws = 32

// freshID returns a new id of n characters, if possible one whose session this process
// serves itself: a balancer that sends a visitor to the same server again makes every
// read of the session local. That takes log2 of the number of servers from the bits of
// the id.
func (s store) freshID(n int) string {
	id := newID(n)
	for range maxDraws {
		if local, known := s.cache.Local(storeKey(id)); local || !known {
			break
		}
		id = newID(n)
	}
	return id
}

// insert stores a new session; it reports false if the id is taken.
func (s store) insert(ctx context.Context, id string, r record) (bool, error) {
	return s.cache.PutIfAbsent(ctx, storeKey(id), r)
}

// edit gives change the session as it is now and stores what change returns. from is
// where the session was read; if nobody wrote it since, that is one round trip. change
// may run several times. A session that is not there any more is state gone, and
// one that has ended its state; change is then not called.
func (s store) edit(ctx context.Context, from entry, change func(record) (record, error)) (edited record, now sessionState, err error) {
	now, err = jcache.InvokeEntry(ctx, s.cache, from, func(_ context.Context, e *jcache.MutableEntry[string, record]) (sessionState, error) {
		r, ok, err := e.Value()
		if err != nil || !ok || r.state != live {
			return stateOf(r, ok), err
		}
		if edited, err = change(r); err != nil {
			return present, err
		}
		e.SetValue(edited)
		return present, nil
	})
	return edited, now, err
}

// touch moves the session's deadline and leaves its attributes alone.
func (s store) touch(ctx context.Context, from entry, lifetime time.Duration) error {
	_, err := jcache.InvokeEntry(ctx, s.cache, from, func(_ context.Context, e *jcache.MutableEntry[string, record]) (struct{}, error) {
		r, ok, err := e.Value()
		if ok && r.state == live {
			e.SetExpiry(r.expiry(time.Now(), lifetime))
		}
		return struct{}{}, err
	})
	return err
}

// end leaves a tombstone in the session's place. It reports what was there.
func (s store) end(ctx context.Context, from entry) (sessionState, error) {
	_, was, err := s.edit(ctx, from, func(r record) (record, error) {
		return record{state: invalidated, created: r.created, accessed: time.Now().UnixMicro()}, nil
	})
	return was, err
}

// maxMoves bounds how often a session that is being moved may change under way.
const maxMoves = 16

var errChanged = errors.New("the session changed while it was moved")

// move gives the session, as change makes it, another id and leaves a tombstone
// under the old one. Nothing that others write meanwhile is lost: the tombstone
// only replaces the very session that was copied.
func (s store) move(ctx context.Context, from entry, id string, change func(record) (record, error)) (moved record, now sessionState, err error) {
	for range maxMoves {
		base := from.Value
		if moved, err = change(base); err != nil {
			return moved, present, err
		}
		if err = s.cache.Put(ctx, storeKey(id), moved); err != nil {
			return moved, present, err
		}
		_, now, err = s.edit(ctx, from, func(r record) (record, error) {
			if !bytes.Equal(r.attributes, base.attributes) || r.maxInactive != base.maxInactive {
				return r, errChanged
			}
			return record{state: renewed, created: r.created, accessed: time.Now().UnixMicro()}, nil
		})
		switch {
		case errors.Is(err, errChanged):
			if from, _, err = s.cache.GetEntry(ctx, from.Key); err != nil {
				return moved, present, err
			}
		case err != nil || now == present:
			return moved, now, err
		default:
			// The session ended meanwhile; so must the copy, whose id
			// nobody has.
			_, err = s.cache.Remove(ctx, storeKey(id))
			return moved, now, err
		}
	}
	return moved, present, jcache.ErrContention
}
