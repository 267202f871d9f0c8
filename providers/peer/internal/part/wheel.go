package part

import (
	"cmp"
	"slices"
	"strings"
)

// A wheel finds the entries whose deadlines have passed: a hashed timing wheel (Varghese
// and Lauck, 1987). An entry stays in its slot when its deadline moves away, and is put
// into the right one when its slot comes round, so a touch costs nothing.
type wheel struct {
	slots [256][]*entry
	next  int64 // the slot that comes next, counted since time zero
}

const slotShift = 29 // a slot is about half a second; the wheel turns in 137 s

// push files an entry under its deadline.
func (w *wheel) push(e *entry) {
	if e.deadline == 0 {
		return
	}
	at := max(e.deadline>>slotShift, w.next)
	if e.is(queued) && at-w.next >= int64(e.slot-uint8(w.next)) {
		return // the slot in which it stands comes round before
	}
	e.flags |= queued
	e.slot = uint8(at)
	w.slots[e.slot] = append(w.slots[e.slot], e)
}

// turn calls expire for the entries whose deadlines have passed, until it returns false
// or there are no more. An entry for which it returns false is kept.
func (w *wheel) turn(now int64, expire func(*entry) bool) {
	end := now >> slotShift
	w.next = max(w.next, end-int64(len(w.slots)))
	for ; w.next < end; w.next++ {
		if !w.visit(uint8(w.next), now, expire) {
			return
		}
	}
}

// visit goes through a slot. Entries that are due go by deadline, then by key.
func (w *wheel) visit(slot uint8, now int64, expire func(*entry) bool) (done bool) {
	list := w.slots[slot]
	var due []*entry
	kept := list[:0]
	for _, e := range list {
		if !e.is(queued) || e.slot != slot {
			continue // it was dropped, or was seen, or stands in another slot as well
		}
		e.flags &^= queued
		switch {
		case !e.live() || e.deadline == 0:
		case e.deadline <= now:
			due = append(due, e)
		case uint8(e.deadline>>slotShift) == slot: // in another turn
			kept = append(kept, e)
		default:
			w.push(e)
		}
	}
	slices.SortFunc(due, func(a, b *entry) int {
		return cmp.Or(cmp.Compare(a.deadline, b.deadline), strings.Compare(a.key, b.key))
	})
	for len(due) > 0 && expire(due[0]) {
		due = due[1:]
	}
	kept = append(kept, due...)
	for _, e := range kept {
		e.flags |= queued
	}
	if len(kept) <= len(list) {
		clear(list[len(kept):])
	}
	if w.slots[slot] = kept; len(kept) == 0 {
		w.slots[slot] = nil
	}
	return len(due) == 0
}
