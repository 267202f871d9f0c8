package httpsession

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A session whose id is renewed goes on under another store key; what it leaves under the
// old one says where. Reads never follow, or an old id would be as good as the new one. Ends
// do: a logout ends the visitor's session, whichever of its ids the browser sent.
//
// A renewal first stores the session under its new key and then leaves the tombstone, on
// condition that the old record is the one that was copied. An end that comes before the
// tombstone takes the old record away, so that the renewal fails and removes its copy, whose
// id nobody has seen; one that comes after the tombstone follows it. So after an end no
// id of the session is live. Only where the provider has no room for a tombstone, an end with the
// old id that comes during a renewal cannot follow.

// wellFormedSuccessors reports whether a tombstone's list is whole and in order.
func wellFormedSuccessors(list []byte) bool {
	if len(list)%sha256.Size != 0 {
		return false
	}
	for rest := list; len(rest) > sha256.Size; rest = rest[sha256.Size:] {
		if bytes.Compare(rest[:sha256.Size], rest[sha256.Size:2*sha256.Size]) >= 0 {
			return false
		}
	}
	return true
}

// mergeSuccessors returns those of both lists.
func mergeSuccessors(x, y []byte) []byte {
	hashes := slices.Collect(slices.Chunk(slices.Concat(x, y), sha256.Size))
	slices.SortFunc(hashes, bytes.Compare)
	return slices.Concat(slices.CompactFunc(hashes, bytes.Equal)...)
}

// end ends the session that was read as from and those that followed it, and reports whether
// any of them was alive. A damaged record is as good as none.
func (s store) end(ctx context.Context, from entry) (lived bool, err error) {
	if err := s.noteEnd(ctx, from); err != nil {
		return false, err
	}
	seen := make(map[string]bool)
	for next := []entry{from}; len(next) > 0; {
		e := next[0]
		next = next[1:]
		if seen[e.Key] {
			continue
		}
		seen[e.Key] = true
		successors := e.Value.successors // of a tombstone that was read, which does not change
		if len(successors) == 0 {
			was, err := s.endAlive(ctx, e)
			if errors.Is(err, jcache.ErrUndecodable) {
				s.damaged(err)
				continue
			}
			if err != nil {
				return lived, err
			}
			if !was.known {
				// Another side of a split may know it, and must learn that it has ended.
				if _, err := s.cache.Remove(ctx, e.Key); err != nil {
					return lived, err
				}
			}
			lived, successors = lived || was.lived, was.successors
		}
		for hash := range slices.Chunk(successors, sha256.Size) {
			next = append(next, entry{Key: keyOf(storeHash(hash))})
		}
	}
	return lived, nil
}

type endedSession struct {
	known      bool // there was a session, or its tombstone
	lived      bool
	successors []byte
}

// endAlive ends a session that is alive.
func (s store) endAlive(ctx context.Context, from entry) (endedSession, error) {
	return ending(func(leave leave) (endedSession, error) {
		return jcache.InvokeEntry(ctx, s.cache, from, func(_ context.Context, e *jcache.MutableEntry[string, record]) (endedSession, error) {
			r, ok, err := e.Value()
			if err != nil || !ok || r.state != live {
				return endedSession{known: ok, successors: r.successors}, err
			}
			leave(e, r.tombstone(invalidated, nil))
			return endedSession{known: true, lived: true}, nil
		})
	})
}

// leave is what becomes of an entry whose session ends.
type leave func(e *jcache.MutableEntry[string, record], tombstone record)

// ending ends a session. It leaves a tombstone or, where the provider has no room for one,
// nothing: to remove a record needs none. Whoever still has its id finds no session either way.
func ending[T any](end func(leave) (T, error)) (T, error) {
	ended, err := end(func(e *jcache.MutableEntry[string, record], tombstone record) { e.SetValue(tombstone) })
	if errors.Is(err, jcache.ErrFull) {
		return end(func(e *jcache.MutableEntry[string, record], _ record) { e.Remove() })
	}
	return ended, err
}

// maxMoves bounds how often a session that is being moved may change under way.
const maxMoves = 16

// move gives the session, as change makes it, the store key of another id and leaves a
// tombstone under the old one. Nothing that others write meanwhile is lost: the tombstone
// only replaces the very session that was copied. What was not completed leaves no copy.
func (s store) move(ctx context.Context, from entry, key string, change func(record) (record, error)) (moved record, now sessionState, err error) {
	copied := false
	defer func() {
		if copied && (err != nil || now != present) {
			_, _ = s.cache.Remove(ctx, key) // nobody has its id
			s.ends.withdraw(ctx, idMark(from.Key))
		}
	}()
	for range maxMoves {
		if moved, err = change(from.Value); err != nil {
			return moved, present, err
		}
		if s.ends != nil {
			moved.origin = originOf(from)
		}
		copied = true
		if err = s.cache.Put(ctx, key, moved); errors.Is(err, jcache.ErrFull) {
			now, err = s.moveWithoutRoom(ctx, from, key, moved)
		} else if err == nil {
			now, err = s.abdicate(ctx, from, key)
		}
		if !errors.Is(err, errChanged) {
			return moved, now, err
		}
		var ok bool
		if from, ok, err = s.find(ctx, from.Key); err != nil {
			return moved, present, err
		}
		if !ok || from.Value.state != live {
			return moved, stateOf(from.Value, ok), nil
		}
	}
	return moved, present, jcache.ErrContention
}

var errChanged = errors.New("the session changed while it was moved")

// abdicate ends the session that was read as from, in favour of the one under key.
func (s store) abdicate(ctx context.Context, from entry, key string) (now sessionState, err error) {
	base, hash := from.Value, hashIn(key)
	if err := s.ends.note(ctx, idMark(from.Key), base, base.tombstone(renewed, hash[:])); err != nil {
		return present, err
	}
	return ending(func(leave leave) (sessionState, error) {
		return s.alter(ctx, from, func(e *jcache.MutableEntry[string, record], r record) error {
			if !bytes.Equal(r.attributes, base.attributes) || r.maxInactive != base.maxInactive {
				return errChanged
			}
			leave(e, r.tombstone(renewed, hash[:]))
			return nil
		})
	})
}

// For room that a removal has made, which somebody else may have taken.
const (
	roomTries = 8
	roomPause = 5 * time.Millisecond
)

// moveWithoutRoom moves a session where there is no room for a copy: the old record goes
// first, and makes it. Should somebody else take the room, the session is lost: an id that is
// renewed must not live on. Nor can it come back, since a logout may have met its end.
func (s store) moveWithoutRoom(ctx context.Context, from entry, key string, moved record) (now sessionState, err error) {
	if now, err = s.abdicate(ctx, from, key); err != nil || now != present {
		return now, err
	}
	for try := range roomTries {
		if err = s.cache.Put(ctx, key, moved); !errors.Is(err, jcache.ErrFull) {
			return present, err
		}
		select {
		case <-ctx.Done():
			return present, err
		case <-time.After(roomPause << try):
		}
	}
	return present, fmt.Errorf("httpsession: the session is lost with its renewal: %w", err)
}
