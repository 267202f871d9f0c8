package httpsession

import (
	"context"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Where a provider may undo what one part of a split network did, a tombstone in the place of a
// session is not enough: the session as the other part has it may be put there again. So each
// tombstone is also kept under a key of its own, a mark, which nobody ever writes to otherwise,
// and which therefore is there after a split whichever part it was made in. There are two:
// one for an id, which was renewed, and one for a session that has ended, under the first of all
// its ids, since the other part may have renewed it under way. A renewed session knows that
// id, its origin. A logout of a session that is not found leaves a mark for its id: it may be that
// the part of the store that has the session is away.
//
// Marks are only looked for when a session may have come back: it is older than the moment in
// which parts were rejoined, and nobody who knew of that has recorded a use of it since.
type ends struct {
	cache    *jcache.Cache[string, record]
	rejoined func() (time.Time, bool)
	least    time.Duration // that a mark is kept
}

// longestSplit is how long a split may last so that its marks are still there afterwards when the
// sessions that it brought back expire.
const longestSplit = time.Hour

// foreverMark is how long the mark of a session that never expires is kept.
const foreverMark = 30 * 24 * time.Hour

// openEnds returns nil if the provider brings nothing back.
func openEnds(ctx context.Context, caches *jcache.CacheManager, opts Options) (*ends, error) {
	if _, splits := caches.Rejoined(); !splits {
		return nil, nil
	}
	e := &ends{rejoined: caches.Rejoined, least: longestLife(opts) + longestSplit}
	var err error
	e.cache, err = jcache.CreateCache(ctx, caches, opts.CacheName+".ended", jcache.Options[string, record]{
		Codec:        recordCodec{},
		ExpiryPolicy: markPolicy{}, // no LongestTTL: a mark is put, which needs none, and never replaced
	})
	return e, err
}

// needed reports whether the provider brings something back, which may not have been known at the start.
func (e *ends) needed() bool {
	if e == nil {
		return false
	}
	_, splits := e.rejoined()
	return splits
}

// markPolicy keeps a mark for its own idle time.
type markPolicy struct{}

func (markPolicy) OnCreate(_ string, r record) jcache.Expiry {
	return jcache.ExpireAfter(r.maxInactive)
}
func (markPolicy) OnUpdate(_ string, r record) jcache.Expiry {
	return jcache.ExpireAfter(r.maxInactive)
}
func (markPolicy) OnAccess(string, record) jcache.Expiry { return jcache.KeepExpiry() }

// sessionMark and idMark are the keys of marks.
func sessionMark(origin []byte) string { return "session." + keyOf(storeHash(origin)) }

func idMark(key string) string { return "id." + key }

// originOf returns the hash in the first store key that a session had.
func originOf(e entry) []byte {
	if e.Value.origin != nil {
		return e.Value.origin
	}
	hash := hashIn(e.Key)
	return hash[:]
}

// settled is how long after parts were rejoined everybody knows that, and how far clocks may be
// apart.
const settled = 5 * time.Minute

// doubtful reports whether a live session may be one that has ended.
func (e *ends) doubtful(session *entry) bool {
	r := &session.Value
	if e == nil || r.state != live {
		return false
	}
	at, _ := e.rejoined()
	return r.created <= at.UnixMicro() && r.idleSince(session.Deadline).Before(at.Add(settled))
}

// apply makes the entry the tombstone that its session has left, if there is one. One round trip.
func (e *ends) apply(ctx context.Context, session *entry) error {
	ofSession, ofID := sessionMark(originOf(*session)), idMark(session.Key)
	marks, err := e.cache.GetAll(ctx, ofSession, ofID)
	if err != nil {
		return err
	}
	for _, key := range []string{ofID, ofSession} {
		if mark, ok := marks[key]; ok {
			session.Value, session.Deadline = mark, time.Time{}
		}
	}
	return nil
}

// note leaves a mark: the tombstone of a session.
func (e *ends) note(ctx context.Context, key string, session, tombstone record) error {
	if !e.needed() {
		return nil
	}
	life := session.maxInactive + touchInterval(session.maxInactive) + longestSplit
	if session.state == live && session.maxInactive <= 0 && session.created != 0 {
		life = foreverMark
	}
	tombstone.maxInactive = max(life, e.least)
	return e.cache.Put(ctx, key, tombstone)
}

// withdraw removes the mark of what was not completed.
func (e *ends) withdraw(ctx context.Context, key string) {
	if e.needed() {
		_, _ = e.cache.Remove(ctx, key) // what is left counts only after a split
	}
}

// noteEnd leaves the mark of a session that is about to end, under whichever of its ids.
func (s store) noteEnd(ctx context.Context, from entry) error {
	if !s.ends.needed() {
		return nil
	}
	mark := idMark(from.Key)
	if from.Value.created == 0 { // it was not read, or not found
		e, ok, err := s.find(ctx, from.Key)
		if err != nil {
			return err
		}
		if ok {
			from = e
		}
	}
	if from.Value.created != 0 {
		mark = sessionMark(originOf(from))
	}
	return s.ends.note(ctx, mark, from.Value, from.Value.tombstone(invalidated, nil))
}
