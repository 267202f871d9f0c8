package httpsession

import (
	"bytes"
	"cmp"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Any process that links this package can merge sessions, be it without a Manager.
func init() { jcache.RegisterMerge(recordCodec{}, mergeSessions) }

// mergeSessions makes one session of what the two sides of a split grid have. Each
// attribute is as it was changed last, on whichever side; so is the idle time. The session
// was created at the earlier time, used at the later one, and lives until the later one
// of the deadlines. A session that ended on one side has ended, whatever was done to it
// on the other one; it has the successors that either side gave it.
func mergeSessions(a, b jcache.Revision) jcache.Revision {
	x, errX := recordCodec{}.Decode(a.Value)
	y, errY := recordCodec{}.Decode(b.Value)
	switch {
	case errX != nil && errY != nil:
		return larger(a, b)
	case errX != nil:
		return b
	case errY != nil:
		return a
	}
	m := jcache.Revision{Deadline: later(a.Deadline, b.Deadline)}
	switch {
	case x.state == live && y.state != live:
		m.Deadline = b.Deadline
	case x.state != live && y.state == live:
		m.Deadline = a.Deadline
	}
	r := x.merge(&y)
	m.Value = r.append(nil)
	return m
}

// larger prefers one of two revisions, always the same.
func larger(a, b jcache.Revision) jcache.Revision {
	if c := bytes.Compare(a.Value, b.Value); c > 0 || c == 0 && later(a.Deadline, b.Deadline).Equal(a.Deadline) {
		return a
	}
	return b
}

// later returns the later one of two deadlines, of which zero is never.
func later(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && a.After(b) {
		return a
	}
	return b
}

// merge returns what two servers made of a session.
func (r *record) merge(o *record) record {
	m := record{state: max(r.state, o.state), created: min(r.created, o.created), stored: max(r.stored, o.stored), origin: r.origin}
	if bytes.Compare(o.origin, m.origin) > 0 {
		m.origin = o.origin
	}
	switch {
	case o.state != live && r.state == live:
		m.accessed = o.accessed
	case o.state == live && r.state != live:
		m.accessed = r.accessed
	default:
		m.accessed = max(r.accessed, o.accessed)
	}
	if m.state != live {
		m.stored, m.successors = m.accessed, mergeSuccessors(r.successors, o.successors)
		return m
	}
	m.maxInactive, m.chosen = r.maxInactive, r.chosen
	if c := cmp.Compare(o.chosen, r.chosen); c > 0 || c == 0 && o.maxInactive > r.maxInactive {
		m.maxInactive, m.chosen = o.maxInactive, o.chosen
	}
	m.attributes = mergeLists(r.attributes, o.attributes)
	return m
}

// mergeLists returns the attributes of both lists; of a name that both have, the one that
// was changed later.
func mergeLists(x, y []byte) []byte {
	list := make([]byte, 0, len(x)+len(y))
	for len(x) > 0 && len(y) > 0 {
		a, restX := nextAttribute(x)
		b, restY := nextAttribute(y)
		switch c := bytes.Compare(a.name, b.name); {
		case c < 0:
			list, x = append(list, x[:len(x)-len(restX)]...), restX
		case c > 0:
			list, y = append(list, y[:len(y)-len(restY)]...), restY
		default:
			if c := cmp.Compare(b.changed, a.changed); c > 0 || c == 0 && bytes.Compare(b.value, a.value) > 0 {
				a = b
			}
			list, x, y = a.append(list), restX, restY
		}
	}
	return append(append(list, x...), y...)
}
