package httpsession

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// tombstoneTTL is how long the record of a session that has ended stays. A request
// that outlives it finds nothing, which is as good: a request never creates a
// session under an id that it was sent.
const tombstoneTTL = 10 * time.Minute

// A store keeps records in a cache. With lineage.go it is where this package meets jcache.
type store struct {
	cache   *jcache.Cache[string, record]
	ends    *ends       // nil where no ended session can come back
	damaged func(error) // is told of records that cannot be decoded
}

type entry = jcache.Entry[string, record]

func openStore(ctx context.Context, caches *jcache.CacheManager, opts Options, lifetime func() time.Duration, damaged func(error)) (store, error) {
	cache, err := jcache.CreateCache(ctx, caches, opts.CacheName, jcache.Options[string, record]{
		Codec:        recordCodec{},
		ExpiryPolicy: expiryPolicy{lifetime},
		LongestTTL:   longestLife(opts),
	})
	if err != nil {
		return store{}, err
	}
	s := store{cache: cache, damaged: damaged}
	if s.ends, err = openEnds(ctx, caches, opts); err != nil {
		return store{}, errors.Join(err, cache.Close(ctx))
	}
	return s, nil
}

// close waits for the operations in progress and closes the caches.
func (s store) close(ctx context.Context) error {
	err := s.cache.Close(ctx)
	if s.ends != nil {
		err = errors.Join(err, s.ends.cache.Close(ctx))
	}
	return err
}

// longestLife is how long the records of these options are kept at most. Sessions that are given
// an idle time of their own may be kept for longer.
func longestLife(opts Options) time.Duration {
	idle := storedIdle(opts.MaxInactive)
	life := idle + touchInterval(idle)
	if idle <= 0 || opts.Lifetime > 0 && opts.Lifetime < life {
		life = opts.Lifetime
	}
	return max(life, tombstoneTTL)
}

// expiryPolicy derives an entry's expiry from the session itself.
type expiryPolicy struct {
	lifetime func() time.Duration
}

func (p expiryPolicy) OnCreate(_ string, r record) jcache.Expiry {
	if r.state != live {
		return jcache.ExpireAfter(tombstoneTTL)
	}
	now := time.UnixMicro(r.stored) // it has just been made
	return r.expiry(now, now, p.lifetime())
}

func (p expiryPolicy) OnUpdate(key string, r record) jcache.Expiry { return p.OnCreate(key, r) }

// OnAccess keeps the deadline: uses are recorded by touch, now and then.
func (p expiryPolicy) OnAccess(string, record) jcache.Expiry { return jcache.KeepExpiry() }

// find reads a session or its tombstone. One round trip, but for one that may have come back. A
// damaged record is none.
func (s store) find(ctx context.Context, key string) (entry, bool, error) {
	e, ok, err := s.cache.GetEntry(ctx, key)
	if errors.Is(err, jcache.ErrUndecodable) {
		s.damaged(err)
		return entry{Key: key}, false, nil
	}
	if ok && err == nil && s.ends.doubtful(&e) {
		err = s.ends.apply(ctx, &e)
	}
	return e, ok, err
}

// maxDraws bounds how many ids are drawn in search of one that is stored well. In a grid of
// n servers one of n is local, so that of 16 servers hardly one session in eight is not.
const maxDraws = 32

// freshID returns a new id of n characters and its store key, if possible one whose session
// this process serves itself: a balancer that sends a visitor to the same server again
// makes every read of the session local. At least it is none whose server is known to be
// down. That takes log2 of the number of servers from the bits of the id.
func (s store) freshID(n int) (id, key string) {
	for draw := range maxDraws {
		drawn := newID(n)
		k := storeKey(drawn)
		switch p := s.cache.Placement(k); {
		case p == jcache.Local || p == jcache.Anywhere:
			return drawn, k
		case p == jcache.Remote || draw == 0:
			id, key = drawn, k
		}
	}
	return id, key
}

// maxRelocations bounds how many servers may turn out to be down while one session is
// stored.
const maxRelocations = 3

// withFreshID stores a session under a new id of n characters. If its server turns out to
// be down, another id is drawn: nobody has seen the first one, and should its record have
// been stored it expires.
func (s store) withFreshID(n int, use func(id, key string) error) error {
	for attempt := 1; ; attempt++ {
		id, key := s.freshID(n)
		err := use(id, key)
		if err == nil || attempt == maxRelocations || s.cache.Placement(key) != jcache.Unavailable {
			return err
		}
	}
}

// away reports whether a session cannot be read because its server is known to be down.
func (s store) away(key string, err error) bool {
	return errors.Is(err, jcache.ErrUnavailable) && s.cache.Placement(key) == jcache.Unavailable
}

// insert stores a new session; it reports false if the id is taken. One round trip: a new
// id is hardly ever taken, so nobody looks first.
func (s store) insert(ctx context.Context, key string, r record) (bool, error) {
	none := jcache.Absent[string, record](key)
	return jcache.InvokeEntry(ctx, s.cache, none, func(_ context.Context, e *jcache.MutableEntry[string, record]) (bool, error) {
		if e.Exists() {
			return false, nil
		}
		e.SetValue(r)
		return true, nil
	})
}

// fits returns an error if a record with so many bytes of attributes is more than the
// provider takes.
func (s store) fits(attributes int) error {
	limit := s.cache.MaxValueBytes()
	if limit > 0 && s.ends != nil {
		limit -= originBytes
	}
	if size := fixedBytes + attributes; limit > 0 && size > limit {
		return fmt.Errorf("httpsession: %w: a session of %d bytes, the provider takes %d; store less in it or raise the provider's limit", ErrTooLarge, size, limit)
	}
	return nil
}

// edit gives change the session as it is now and stores what change returns. from is
// where the session was read; if nobody wrote it since, that is one round trip. change
// may run several times. A session that is not there any more is state gone, and
// one that has ended its state; change is then not called.
func (s store) edit(ctx context.Context, from entry, change func(record) (record, error)) (edited record, now sessionState, err error) {
	now, err = s.alter(ctx, from, func(e *jcache.MutableEntry[string, record], r record) (err error) {
		if edited, err = change(r); err == nil {
			e.SetValue(edited)
		}
		return err
	})
	return edited, now, err
}

// alter is edit for a change that stores by itself. Its error is returned as it is.
func (s store) alter(ctx context.Context, from entry, change func(*jcache.MutableEntry[string, record], record) error) (now sessionState, err error) {
	var refused error // by change
	now, err = jcache.InvokeEntry(ctx, s.cache, from, func(_ context.Context, e *jcache.MutableEntry[string, record]) (sessionState, error) {
		r, ok, err := e.Value()
		if err != nil || !ok || r.state != live {
			return stateOf(r, ok), err
		}
		refused = change(e, r)
		return present, refused
	})
	if refused == nil && errors.Is(err, jcache.ErrUndecodable) {
		s.damaged(err)
		return gone, nil
	}
	return now, err
}

// touch moves the session's deadline and leaves its attributes alone.
func (s store) touch(ctx context.Context, from entry, lifetime time.Duration) error {
	_, err := jcache.InvokeEntry(ctx, s.cache, from, func(_ context.Context, e *jcache.MutableEntry[string, record]) (struct{}, error) {
		r, ok, err := e.Value()
		if ok && r.state == live {
			now := time.Now()
			e.SetExpiry(r.expiry(now, now, lifetime))
		}
		return struct{}{}, err
	})
	if errors.Is(err, jcache.ErrUndecodable) {
		s.damaged(err)
		return nil
	}
	return err
}
