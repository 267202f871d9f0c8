package part

import "time"

// Deletions are what a store remembers of deletions. A tombstone is kept for long while a
// member is absent, which may have the record and bring it back, and for seconds otherwise: that
// is longer than a fork lies back when it is noticed. Tombstones have memory of their own, so that no
// record waits for it; those for which there is none are coalesced into filters.
type deletions struct {
	remembered     time.Duration // how long a deletion is remembered while somebody is absent
	brief          time.Duration // and otherwise
	tombstones     int           // how many a space may have
	restlessAt     int64         // when a member was absent, or might have been, last
	tombstoneBytes int64
	filters        []*filter // the oldest first
	// keepTombstones keeps tombstones whatever their number or age, while a snapshot
	// may still bring the records that they deleted.
	keepTombstones bool
}

// A tombstone is where a deletion is remembered, unless the key was written since.
type tombstone struct {
	entry   *entry
	version Version
}

// kept is for how long a deletion is remembered now, in nanoseconds.
func (g *deletions) kept(now int64) int64 {
	if now-g.restlessAt >= int64(g.brief) {
		return int64(min(g.remembered, g.brief))
	}
	return int64(g.remembered)
}

// remembers reports whether what was deleted at a time must be remembered now.
func (g *deletions) remembers(since, now int64) bool { return now-since < g.kept(now) }

// leaveTombstone makes an entry, which counts as nothing any more, a tombstone.
func (s *store) leaveTombstone(sp *space, e *entry, cause Cause, now int64) {
	e.data, e.size, e.ttl, e.lag = nil, 0, 0, 0
	e.flags = e.flags&^graced | dead
	if cause == ByExpiry || cause == ByLack {
		e.flags |= lapsed
	}
	e.deadline = now
	s.accountTombstones(e.cost())
	if s.bare {
		s.forget(sp, e)
		return
	}
	if cause != ByLack || s.keepTombstones {
		sp.tombstones = append(sp.tombstones, tombstone{e, e.version})
	}
}

// dropTombstone forgets the tombstone of an eviction, which must not cost what the eviction
// gained. It is needed only until every replica has dropped the record.
func (s *store) dropTombstone(it *Item) {
	if it.Cause != ByLack || s.keepTombstones {
		return
	}
	if sp, e := s.lookup(it.Cache, it.Key); e != nil && e.is(dead) && e.version == it.Version && e.busy == 0 {
		s.forget(sp, e)
	}
}

// forget drops a tombstone.
func (s *store) forget(sp *space, e *entry) {
	s.accountTombstones(-e.cost())
	s.drop(sp, e)
}

// tidy forgets tombstones whose time has passed, at most limit of a cache, and coalesces the
// oldest ones if there are too many.
func (s *store) tidy(now int64, limit int) {
	if s.keepTombstones {
		return
	}
	s.expireFilters(now)
	for _, sp := range s.list {
		s.forgetOldest(sp, now, limit, true)
	}
}

// shed makes up for a tombstone that was added, if there are too many.
func (s *store) shed(sp *space, now int64) {
	if !s.keepTombstones && s.crowded(sp, 0) {
		s.forgetOldest(sp, now, 2, false)
	}
}

// crowded reports whether a cache's tombstones are too many after some were opened, or all of
// the member's take too much memory.
func (s *store) crowded(sp *space, opened int) bool {
	return len(sp.tombstones)-opened > s.tombstones || s.budget.tombstonesFull()
}

// forgetOldest opens the oldest tombstones of a cache, at most limit of them, but not the latest one, whose
// write is perhaps not committed yet. Only a tick may forget what is old: it knows whether
// anybody is absent, also after a pause.
func (s *store) forgetOldest(sp *space, now int64, limit int, forget bool) {
	n := 0
	for ; n < min(limit, len(sp.tombstones)); n++ {
		g := sp.tombstones[n]
		if g.entry.version != g.version || !g.entry.is(dead) || g.entry.is(gone) {
			continue // it was written since
		}
		remembered := !forget || s.remembers(g.entry.deadline, now)
		if g.entry.busy > 0 || remembered && (n == len(sp.tombstones)-1 || !s.crowded(sp, n)) {
			break
		}
		if remembered && !g.entry.is(lapsed) {
			s.coalesce(sp, g.entry, now)
		}
		s.forget(sp, g.entry)
	}
	clear(sp.tombstones[:n])
	if sp.tombstones = sp.tombstones[n:]; len(sp.tombstones) == 0 {
		sp.tombstones = nil
	}
}

// accountTombstones counts the memory of tombstones.
func (s *store) accountTombstones(bytes int64) {
	s.tombstoneBytes += bytes
	if s.budget != nil {
		s.budget.tombstones.Add(bytes)
	}
}
