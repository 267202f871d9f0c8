package part

import "time"

// A graveyard is what a store remembers of deletions. Somebody who was left behind may have
// a record that was deleted since, and bring it back. So a tombstone is kept for long while
// somebody is absent, and for seconds otherwise, which is longer than a fork lies back when
// it is noticed. Tombstones have memory of their own, so that no record has to wait for it;
// those for which there is none are coalesced into filters.
type graveyard struct {
	grave      time.Duration // how long a deletion is remembered while somebody is absent
	brief      time.Duration // and otherwise
	tombstones int           // how many a space may have
	restlessAt int64         // when somebody was absent, or might have been, last
	graveBytes int64
	filters    []*filter // the oldest first
	// keepGraves keeps tombstones whatever their number or age, while a snapshot
	// may still bring the records that they deleted.
	keepGraves bool
}

// A grave is a tombstone, unless the key was written since.
type grave struct {
	entry   *entry
	version Version
}

// kept is for how long a deletion is remembered now, in nanoseconds.
func (g *graveyard) kept(now int64) int64 {
	if now-g.restlessAt >= int64(g.brief) {
		return int64(min(g.grave, g.brief))
	}
	return int64(g.grave)
}

// remembers reports whether what was deleted at a time must be remembered now.
func (g *graveyard) remembers(since, now int64) bool { return now-since < g.kept(now) }

// bury makes an entry, which counts as nothing any more, a tombstone.
func (s *store) bury(sp *space, e *entry, cause Cause, now int64) {
	e.data, e.size, e.ttl, e.lag = nil, 0, 0, 0
	e.flags = e.flags&^graced | dead
	if cause == ByExpiry || cause == ByLack {
		e.flags |= lapsed
	}
	e.deadline = now
	s.accountGraves(e.cost())
	if s.bare {
		s.forget(sp, e)
		return
	}
	if cause != ByLack || s.keepGraves {
		sp.graves = append(sp.graves, grave{e, e.version})
	}
}

// exhume forgets the tombstone of an eviction, which must not cost what the eviction
// gained. It is needed only until every replica has dropped the record.
func (s *store) exhume(it *Item) {
	if it.Cause != ByLack || s.keepGraves {
		return
	}
	if sp, e := s.lookup(it.Cache, it.Key); e != nil && e.is(dead) && e.version == it.Version && e.busy == 0 {
		s.forget(sp, e)
	}
}

// forget drops a tombstone.
func (s *store) forget(sp *space, e *entry) {
	s.accountGraves(-e.cost())
	s.drop(sp, e)
}

// tidy forgets tombstones whose time has passed, at most limit of a cache, and coalesces the
// oldest ones if there are too many.
func (s *store) tidy(now int64, limit int) {
	if s.keepGraves {
		return
	}
	s.expireFilters(now)
	for _, sp := range s.list {
		s.dig(sp, now, limit, true)
	}
}

// shed makes up for a tombstone that was added, if there are too many.
func (s *store) shed(sp *space, now int64) {
	if !s.keepGraves && s.crowded(sp, 0) {
		s.dig(sp, now, 2, false)
	}
}

// crowded reports whether a cache's tombstones are too many after some were opened, or all of
// the member's take too much memory.
func (s *store) crowded(sp *space, opened int) bool {
	return len(sp.graves)-opened > s.tombstones || s.budget.gravesFull()
}

// dig opens the oldest graves of a cache, at most limit of them, but not the latest one, whose
// write is perhaps not committed yet. Only a tick may forget what is old: it knows whether
// anybody is absent, also after a pause.
func (s *store) dig(sp *space, now int64, limit int, forget bool) {
	n := 0
	for ; n < min(limit, len(sp.graves)); n++ {
		g := sp.graves[n]
		if g.entry.version != g.version || !g.entry.is(dead) || g.entry.is(gone) {
			continue // it was written since
		}
		remembered := !forget || s.remembers(g.entry.deadline, now)
		if g.entry.busy > 0 || remembered && (n == len(sp.graves)-1 || !s.crowded(sp, n)) {
			break
		}
		if remembered && !g.entry.is(lapsed) {
			s.coalesce(sp, g.entry, now)
		}
		s.forget(sp, g.entry)
	}
	clear(sp.graves[:n])
	if sp.graves = sp.graves[n:]; len(sp.graves) == 0 {
		sp.graves = nil
	}
}

// accountGraves counts the memory of tombstones.
func (s *store) accountGraves(bytes int64) {
	s.graveBytes += bytes
	if s.budget != nil {
		s.budget.graves.Add(bytes)
	}
}
