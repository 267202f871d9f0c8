package part

import (
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// An Item is one write of a partition, as replicas exchange it.
type Item struct {
	Kind  ItemKind
	Cause Cause
	// Cache and Key say where. Key is empty for a clear.
	Cache, Key string
	// Record is what Put stores. It is immutable.
	Record []byte
	// Version orders the writes of a key. A touch has the version of the record
	// that it touches.
	Version Version
	// Left is the time until the deadline, so that clocks need not agree. Zero:
	// the record does not expire.
	Left time.Duration
	// Until is the deadline as whoever set it gave it: see Request.Until.
	Until int64
	// TTL is how far the deadline was away when it was set. It is at least Left.
	TTL time.Duration
	// Touched: the deadline of the record was moved since it was put, perhaps further
	// than Left says.
	Touched bool
	// Op is the operation that made the write, to recognise it when it is sent
	// again.
	Op OpID

	// due is the deadline by the clock of the process that keeps the item: Left is as it
	// was when the item came. Zero: none is known.
	due int64
}

// arrive notes the deadline of an item that is new here.
func (it *Item) arrive(now int64) {
	if it.due = 0; it.Left > 0 {
		it.due = now + int64(it.Left)
	}
}

// age makes Left what it is now.
func (it *Item) age(now int64) {
	if it.due != 0 {
		it.Left = max(1, time.Duration(it.due-now))
	}
}

// fresh is for how long Left is as good as new.
const fresh = int64(10 * time.Millisecond)

// aged returns items with what is left now, the same ones if they are fresh.
func aged(items []Item, now int64) []Item {
	old := func(it Item) bool { return it.due != 0 && now-(it.due-int64(it.Left)) > fresh }
	if !slices.ContainsFunc(items, old) {
		return items
	}
	items = slices.Clone(items)
	for i := range items {
		items[i].age(now)
	}
	return items
}

// ItemKind says what an item does to its key.
type ItemKind uint8

// The kinds of items.
const (
	ItemPut    ItemKind = iota
	ItemDelete          // leaves a tombstone
	ItemTouch           // moves the deadline of the record of the same version
	ItemClear           // deletes everything of the cache up to its version
	ItemNote            // changes nothing: Op was executed before, and wrote Version
	ItemFilter          // remembers many deletions, up to its version, none by its key
)

// Cause is why an item was written.
type Cause uint8

// The causes.
const (
	ByCaller Cause = iota
	ByExpiry       // the deadline passed
	ByLack         // of memory
	ByMerge        // of another cluster
)

// An OpID names an operation: the client's number, and the operation's among the
// client's. Zero is no operation.
type OpID struct {
	Client, Seq uint64
}

// A Message is what replicas of a partition send each other.
type Message interface {
	// Of returns the number of the partition.
	Of() int
}

// Replicate carries writes from the primary to a replica. The writes of a reign are
// numbered from 1.
type Replicate struct {
	Partition    int
	Term         uint64
	Epoch, Reign topology.Stamp
	// First is the number of the first item; the others follow. A message
	// without items tells Settled.
	First uint64
	Items []Item
	// Settled: every replica in sync has the writes up to this number.
	Settled uint64
	// Rolled is how many writes at the beginning of the reign were carried over
	// from the reign before.
	Rolled uint64
}

// Acknowledge says that a replica has every write of a reign up to a number.
type Acknowledge struct {
	Partition    int
	Epoch, Reign topology.Stamp
	Seq          uint64
	// Full: its member has less memory left than it should.
	Full bool
}

// Refuse says that the sender of a message is behind: the receiver is at another
// epoch, or has promised another term.
type Refuse struct {
	Partition int
	Term      uint64
	Epoch     topology.Stamp
}

// Pull asks a replica for its tail, at the beginning of a reign.
type Pull struct {
	Partition    int
	Term         uint64
	Epoch, Reign topology.Stamp
}

// Tail is what a replica has and others in sync may lack.
type Tail struct {
	Partition int
	Reign     topology.Stamp
	Items     []Item
	// Exact: the sender was primary until this reign, and the items include a
	// touch for every record whose deadline others do not know exactly.
	Exact bool
}

// SnapshotBegin tells a learner that a snapshot comes, and from which number on it
// gets the live writes as well.
type SnapshotBegin struct {
	Partition    int
	Term         uint64
	Epoch, Reign topology.Stamp
	// ID tells the attempts of a reign apart; later ones are greater.
	ID uint64
	// Seq is the number of the latest write. The live writes follow it.
	Seq uint64
	// Clock is the greatest version of the partition.
	Clock Version
	// Tail are the latest writes that somebody in sync may lack; the last one is number
	// Seq.
	Tail []Item
	// Done are the operations to remember.
	Done []Done
}

// A Done is an operation that was executed.
type Done struct {
	Op      OpID
	Version Version
}

// SnapshotChunk is a part of a snapshot. The last one carries the number of the
// latest live write.
type SnapshotChunk struct {
	Partition int
	Reign     topology.Stamp
	ID        uint64
	// N numbers the chunks of the snapshot from 1.
	N     uint64
	Items []Item
	Last  bool
	Seq   uint64
}

// SnapshotAck confirms the chunks up to N, or the beginning. The last one is confirmed when the live
// writes that it names are there, too.
type SnapshotAck struct {
	Partition int
	Reign     topology.Stamp
	ID, N     uint64
	// Full is as in Acknowledge. What follows N comes again when there is room.
	Full bool
}

// Offer gives the primary of another cluster, or of a partition that is held or was
// lost, a part of what the sender has.
type Offer struct {
	Partition int
	// ID tells the offers of a sender apart; later ones are greater.
	ID uint64
	// N numbers the chunks of the offer from 1.
	N uint64
	// Common is the version up to which both sides knew every write.
	Common Version
	Items  []Item
	Last   bool
	// Done are the latest operations of the sender, in the first chunk.
	Done []Done
	// Whole: the chunks are everything that was acknowledged before both sides parted.
	Whole bool
}

// OfferAck says that the chunks of an offer up to N are committed.
type OfferAck struct {
	Partition int
	ID, N     uint64
}

// Digest lets a replica at rest compare what it has with what the primary has.
type Digest struct {
	Partition    int
	Epoch, Reign topology.Stamp
	// Seq is the number of the last write, which everybody in sync has.
	Seq uint64
	// Sum is the sum of the contents.
	Sum uint64
}

// Differ says that a replica has something else than the primary.
type Differ struct {
	Partition    int
	Epoch, Reign topology.Stamp
	Seq          uint64
}

// Of implements Message.
func (m *Replicate) Of() int { return m.Partition }

// Of implements Message.
func (m *Acknowledge) Of() int { return m.Partition }

// Of implements Message.
func (m *Refuse) Of() int { return m.Partition }

// Of implements Message.
func (m *Pull) Of() int { return m.Partition }

// Of implements Message.
func (m *Tail) Of() int { return m.Partition }

// Of implements Message.
func (m *SnapshotBegin) Of() int { return m.Partition }

// Of implements Message.
func (m *SnapshotChunk) Of() int { return m.Partition }

// Of implements Message.
func (m *SnapshotAck) Of() int { return m.Partition }

// Of implements Message.
func (m *Offer) Of() int { return m.Partition }

// Of implements Message.
func (m *OfferAck) Of() int { return m.Partition }

// Of implements Message.
func (m *Digest) Of() int { return m.Partition }

// Of implements Message.
func (m *Differ) Of() int { return m.Partition }
