package part

import (
	"encoding/binary"
	"errors"
	"time"
	"unsafe"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// The encoding of a message is its type in one byte, and its fields in order: numbers as
// unsigned varints, strings and bytes after their length. Fields may be added at the end
// of messages and items: whoever does not know them skips them.

// ErrMessage means that bytes are not a message.
var ErrMessage = errors.New("part: malformed message")

// The types of messages.
const (
	typeReplicate = iota + 1
	typeAcknowledge
	typeRefuse
	typePull
	typeTail
	typeSnapshotBegin
	typeSnapshotChunk
	typeSnapshotAck
	typeOffer
	typeOfferAck
	typeDigest
	typeDiffer
)

// Append appends the encoding of a message.
func Append(b []byte, m Message) []byte {
	w := writer{b}
	switch m := m.(type) {
	case *Replicate:
		w.head(typeReplicate, m.Partition)
		w.numbers(m.Term)
		w.stamps(m.Epoch, m.Reign)
		w.numbers(m.First)
		w.items(m.Items)
		w.numbers(m.Settled, m.Rolled)
	case *Acknowledge:
		w.head(typeAcknowledge, m.Partition)
		w.stamps(m.Epoch, m.Reign)
		w.numbers(m.Seq, number(m.Full))
	case *Refuse:
		w.head(typeRefuse, m.Partition)
		w.numbers(m.Term)
		w.stamps(m.Epoch)
	case *Pull:
		w.head(typePull, m.Partition)
		w.numbers(m.Term)
		w.stamps(m.Epoch, m.Reign)
	case *Tail:
		w.head(typeTail, m.Partition)
		w.stamps(m.Reign)
		w.items(m.Items)
		w.numbers(number(m.Exact))
	case *SnapshotBegin:
		w.head(typeSnapshotBegin, m.Partition)
		w.numbers(m.Term)
		w.stamps(m.Epoch, m.Reign)
		w.numbers(m.ID, m.Seq, uint64(m.Clock))
		w.items(m.Tail)
		w.done(m.Done)
	case *SnapshotChunk:
		w.head(typeSnapshotChunk, m.Partition)
		w.stamps(m.Reign)
		w.numbers(m.ID, m.N, number(m.Last), m.Seq)
		w.items(m.Items)
	case *SnapshotAck:
		w.head(typeSnapshotAck, m.Partition)
		w.stamps(m.Reign)
		w.numbers(m.ID, m.N, number(m.Full))
	case *Offer:
		w.head(typeOffer, m.Partition)
		w.numbers(m.ID, m.N, uint64(m.Common), number(m.Last))
		w.items(m.Items)
		w.done(m.Done)
		w.numbers(number(m.Whole))
	case *OfferAck:
		w.head(typeOfferAck, m.Partition)
		w.numbers(m.ID, m.N)
	case *Digest:
		w.head(typeDigest, m.Partition)
		w.stamps(m.Epoch, m.Reign)
		w.numbers(m.Seq, m.Sum)
	case *Differ:
		w.head(typeDiffer, m.Partition)
		w.stamps(m.Epoch, m.Reign)
		w.numbers(m.Seq)
	}
	return w.b
}

// Parse reads a message. Its records and keys are parts of b, which must not change as
// long as they are used; a Replica copies what it keeps.
func Parse(b []byte) (Message, error) {
	if len(b) == 0 {
		return nil, ErrMessage
	}
	r := reader{b: b[1:]}
	partition := int(r.number() & (1<<31 - 1))
	var m Message
	switch b[0] {
	case typeReplicate:
		m = &Replicate{Partition: partition, Term: r.number(), Epoch: r.stamp(), Reign: r.stamp(), First: r.number(),
			Items: r.items(), Settled: r.number(), Rolled: r.number()}
	case typeAcknowledge:
		m = &Acknowledge{Partition: partition, Epoch: r.stamp(), Reign: r.stamp(), Seq: r.number(), Full: r.number() != 0}
	case typeRefuse:
		m = &Refuse{Partition: partition, Term: r.number(), Epoch: r.stamp()}
	case typePull:
		m = &Pull{Partition: partition, Term: r.number(), Epoch: r.stamp(), Reign: r.stamp()}
	case typeTail:
		m = &Tail{Partition: partition, Reign: r.stamp(), Items: r.items(), Exact: r.number() != 0}
	case typeSnapshotBegin:
		m = &SnapshotBegin{Partition: partition, Term: r.number(), Epoch: r.stamp(), Reign: r.stamp(), ID: r.number(),
			Seq: r.number(), Clock: Version(r.number()), Tail: r.items(), Done: r.done()}
	case typeSnapshotChunk:
		m = &SnapshotChunk{Partition: partition, Reign: r.stamp(), ID: r.number(), N: r.number(), Last: r.number() != 0,
			Seq: r.number(), Items: r.items()}
	case typeSnapshotAck:
		m = &SnapshotAck{Partition: partition, Reign: r.stamp(), ID: r.number(), N: r.number(), Full: r.number() != 0}
	case typeOffer:
		m = &Offer{Partition: partition, ID: r.number(), N: r.number(), Common: Version(r.number()),
			Last: r.number() != 0, Items: r.items(), Done: r.done(), Whole: r.number() != 0}
	case typeOfferAck:
		m = &OfferAck{Partition: partition, ID: r.number(), N: r.number()}
	case typeDigest:
		m = &Digest{Partition: partition, Epoch: r.stamp(), Reign: r.stamp(), Seq: r.number(), Sum: r.number()}
	case typeDiffer:
		m = &Differ{Partition: partition, Epoch: r.stamp(), Reign: r.stamp(), Seq: r.number()}
	default:
		return nil, ErrMessage
	}
	if r.bad {
		return nil, ErrMessage
	}
	return m, nil
}

type writer struct{ b []byte }

func (w *writer) head(kind byte, partition int) {
	w.b = append(w.b, kind)
	w.numbers(uint64(partition))
}

func (w *writer) numbers(list ...uint64) {
	for _, n := range list {
		w.b = binary.AppendUvarint(w.b, n)
	}
}

func (w *writer) stamps(list ...topology.Stamp) {
	for _, s := range list {
		w.numbers(s.Term, s.Version)
	}
}

func number(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

func (w *writer) done(list []Done) {
	w.numbers(uint64(len(list)))
	for _, d := range list {
		w.numbers(d.Op.Client, d.Op.Seq, uint64(d.Version))
	}
}

// The flags of an item. The low bits are its kind and cause, two each; a note is a touch
// with a flag, and a filter is a put with another one.
const (
	sameCache  = 1 << (iota + 4) // as the item before
	hasTTL                       // other than Left
	hasOp                        // of a client
	sameClient                   // as the item before
	wasTouched                   // Touched
	isNote
	isFilter
)

// items appends items: the length of each, then its flags, and those fields that it has.
func (w *writer) items(items []Item) {
	w.numbers(uint64(len(items)))
	var scratch [binary.MaxVarintLen64]byte
	var before Item
	for i := range items {
		it := &items[i]
		flags := uint64(it.Kind)&3 | uint64(it.Cause)&3<<2
		switch it.Kind {
		case ItemNote:
			flags = uint64(ItemTouch) | isNote
		case ItemFilter:
			flags = uint64(ItemPut) | isFilter
		}
		if it.Cache == before.Cache {
			flags |= sameCache
		}
		if it.TTL != it.Left {
			flags |= hasTTL
		}
		if it.Touched {
			flags |= wasTouched
		}
		if it.Op != (OpID{}) {
			flags |= hasOp
			if it.Op.Client == before.Op.Client {
				flags |= sameClient
			}
		}
		begin := len(w.b)
		w.numbers(flags, uint64(it.Version), uint64(it.Left))
		if it.Left != 0 {
			w.numbers(uint64(it.Until))
		}
		if flags&sameCache == 0 {
			w.bytes(it.Cache)
		}
		w.bytes(it.Key)
		if flags&hasTTL != 0 {
			w.numbers(uint64(it.TTL))
		}
		if flags&hasOp != 0 {
			w.numbers(it.Op.Seq)
			if flags&sameClient == 0 {
				w.numbers(it.Op.Client)
			}
		}
		if it.Kind == ItemPut || it.Kind == ItemFilter {
			w.numbers(uint64(len(it.Record)))
			w.b = append(w.b, it.Record...)
		}
		// The length comes first, and is known last.
		n := binary.PutUvarint(scratch[:], uint64(len(w.b)-begin))
		w.b = append(w.b, scratch[:n]...)
		copy(w.b[begin+n:], w.b[begin:len(w.b)-n])
		copy(w.b[begin:], scratch[:n])
		before = *it
	}
}

func (w *writer) bytes(s string) {
	w.numbers(uint64(len(s)))
	w.b = append(w.b, s...)
}

type reader struct {
	b   []byte
	bad bool
}

func (r *reader) number() uint64 {
	n, size := binary.Uvarint(r.b)
	if size <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[size:]
	return n
}

func (r *reader) stamp() topology.Stamp { return topology.Stamp{Term: r.number(), Version: r.number()} }

// count reads the length of a list whose elements take at least so many bytes.
func (r *reader) count(size int) int {
	n := r.number()
	if n > uint64(len(r.b)/size) {
		r.bad, r.b = true, nil
		return 0
	}
	return int(n)
}

// bytes reads a length and as many bytes. They are not copied.
func (r *reader) bytes() []byte {
	n := r.count(1)
	b := r.b[:n:n]
	r.b = r.b[n:]
	return b
}

func (r *reader) text() string {
	b := r.bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// duration reads a duration that is not negative.
func (r *reader) duration() time.Duration {
	n := r.number()
	if n > 1<<63-1 {
		r.bad = true
		return 0
	}
	return time.Duration(n)
}

func (r *reader) done() []Done {
	n := r.count(3)
	if n == 0 {
		return nil
	}
	list := make([]Done, n)
	for i := range list {
		list[i] = Done{Op: OpID{r.number(), r.number()}, Version: Version(r.number())}
	}
	return list
}

// itemSize is the fewest bytes that an item takes: its length, flags, version, time left,
// and the length of its key.
const itemSize = 5

func (r *reader) items() []Item {
	n := r.count(itemSize)
	if n == 0 {
		return nil
	}
	// An item takes twenty times its least encoding in memory, so that many are
	// not allocated on the word of a number.
	items := make([]Item, 0, min(n, 256))
	var before Item
	for range n {
		it := r.item(&before)
		if r.bad {
			return nil
		}
		items = append(items, it)
		before = it
	}
	return items
}

func (r *reader) item(before *Item) Item {
	in := reader{b: r.bytes()}
	flags := in.number()
	it := Item{Kind: ItemKind(flags & 3), Cause: Cause(flags >> 2 & 3), Version: Version(in.number()), Left: in.duration(), Touched: flags&wasTouched != 0}
	if flags&isNote != 0 {
		it.Kind = ItemNote
	}
	if it.Left != 0 {
		it.Until = int64(in.number())
	}
	if it.Cache = before.Cache; flags&sameCache == 0 {
		it.Cache = in.text()
	}
	it.Key = in.text()
	if it.TTL = it.Left; flags&hasTTL != 0 {
		it.TTL = in.duration()
	}
	if flags&hasOp != 0 {
		it.Op.Seq = in.number()
		if it.Op.Client = before.Op.Client; flags&sameClient == 0 {
			it.Op.Client = in.number()
		}
	}
	if it.Kind == ItemPut {
		it.Record = in.bytes()
	}
	if flags&isFilter != 0 {
		it.Kind = ItemFilter
	}
	r.bad = r.bad || in.bad
	return it
}
