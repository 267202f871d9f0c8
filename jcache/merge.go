package jcache

import (
	"bytes"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// A Revision is an entry as one side of a split network left it.
type Revision struct {
	// Value is encoded, and must not be changed.
	Value []byte
	// Deadline is when the entry expires. Zero: never.
	Deadline time.Time
}

// A MergeFunc makes one entry of two that differ. What it returns must depend on nothing
// but its arguments, and not on their order; and merging the result with one of them
// again must change nothing. It must not panic, and must be quick.
type MergeFunc func(a, b Revision) Revision

var merges struct {
	sync.RWMutex
	byCodec [256]MergeFunc
}

// RegisterMerge makes known how entries are merged that valueCodec encoded, whichever cache they
// belong to. Records tell codecs apart by their ID, so that all types of values whose codecs have
// the same ID share one function. It is called when packages are initialised, in every process
// that may keep entries. A codec whose ID has a function already, or one that is the default of
// this package, is a mistake in the program and panics: a value of one's own that merges has a
// codec of its own.
//
// Providers that go on while the network is split call it when they find, afterwards, that
// an entry was changed on both sides. Without a function the later write stays.
func RegisterMerge[V any](valueCodec Codec[V], merge MergeFunc) {
	id := valueCodec.ID()
	merges.Lock()
	defer merges.Unlock()
	if id <= codec.IDGob || merge == nil {
		panic("jcache: a merge needs a function, and a codec of its own")
	}
	if merges.byCodec[id] != nil {
		panic("jcache: two functions merge entries of the same codec")
	}
	merges.byCodec[id] = merge
}

// MergeRecords makes one record of two, if both were written by a codec that somebody
// registered a function for. The order of the records makes no difference. It is for
// providers; of the items it uses, and sets, records and deadlines.
func MergeRecords(a, b driver.Item) (merged driver.Item, ok bool) {
	x, errX := engine.Parse(a)
	y, errY := engine.Parse(b)
	if errX != nil || errY != nil || x.Codec != y.Codec {
		return driver.Item{}, false
	}
	merges.RLock()
	merge := merges.byCodec[x.Codec]
	merges.RUnlock()
	if merge == nil {
		return driver.Item{}, false
	}
	var m Revision
	err := engine.Guarded(func() error { // a server must survive it
		m = merge(Revision{x.Value, engine.Time(x.Deadline)}, Revision{y.Value, engine.Time(y.Deadline)})
		return nil
	})
	if err != nil {
		return driver.Item{}, false
	}
	deadline := int64(0)
	if !m.Deadline.IsZero() {
		deadline = engine.Millis(m.Deadline)
	}
	merged.Deadline = engine.Time(deadline)
	inRecord := engine.HoldsDeadline(a.Record) || engine.HoldsDeadline(b.Record)
	is := func(r engine.Record) bool {
		return bytes.Equal(m.Value, r.Value) && (!inRecord || deadline == r.Deadline)
	}
	switch isX, isY := is(x), is(y); {
	case isX && (!isY || x.WriteID >= y.WriteID):
		merged.Record = a.Record
	case isY:
		merged.Record = b.Record
	default:
		merged.Record = engine.AppendHeader(nil, mergedID(x.WriteID, y.WriteID), x.Codec, deadline, inRecord)
		merged.Record = append(merged.Record, m.Value...)
	}
	return merged, true
}

// mergedID is the write id of a merge: the same on whichever side it is made, and as good
// as random.
func mergedID(a, b uint64) uint64 {
	if a == b {
		return a
	}
	return a ^ b
}
