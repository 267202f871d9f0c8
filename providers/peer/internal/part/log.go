package part

import "github.com/keepsake-cache/keepsake/providers/peer/internal/topology"

// A log is the primary's writes that not every replica has acknowledged. Number base+1 is
// the first of them.
type log struct {
	items  []Item  // immutable, since messages share them
	writes []write // what is to be done when the item of the same place is committed
	base   uint64
	bytes  int
	// committed is the number of the last write that is acknowledged, since as many
	// replicas have it as are waited for, and settled of the last one that everybody in
	// sync has.
	committed, settled uint64
}

// A write is what the primary keeps of an item until it is committed.
type write struct {
	entry  *entry // whose busy count includes it; nil: none
	space  *space // likewise
	req    *Request
	result Result
	old    []byte
	// touched is the entry that got a new deadline, and which.
	touched  *entry
	deadline int64
}

// The log's bounds. Beyond them requests wait.
const (
	maxLogItems = 1 << 13
	maxLogBytes = 4 << 20
)

func (l *log) last() uint64 { return l.base + uint64(len(l.items)) }

func (l *log) full() bool { return len(l.items) >= maxLogItems || l.bytes >= maxLogBytes }

func (l *log) add(it Item, w write) {
	l.items = append(l.items, it)
	l.writes = append(l.writes, w)
	l.bytes += it.size()
}

// at returns a write by its number.
func (l *log) at(seq uint64) (*Item, *write) {
	i := seq - l.base - 1
	return &l.items[i], &l.writes[i]
}

// unsettled returns the items that somebody in sync may lack.
func (l *log) unsettled() []Item { return l.items[l.settled-l.base:] }

// trim forgets the writes up to a number. The items stay in the messages that have them.
func (l *log) trim(upTo uint64) {
	n := upTo - l.base
	for i := range l.items[:n] {
		l.bytes -= l.items[i].size()
	}
	l.base = upTo
	clear(l.writes[:n])
	if int(n) == len(l.items) {
		l.items, l.writes = nil, l.writes[:0]
		if cap(l.writes) > 256 {
			l.writes = nil
		}
		return
	}
	l.items, l.writes = l.items[n:], l.writes[n:]
}

// batch returns the items after a number, up to about the given size and at least one.
func (l *log) batch(after uint64, maxBytes int) []Item {
	rest := l.items[after-l.base:]
	bytes := 0
	for i := range rest {
		if bytes += rest[i].size(); bytes > maxBytes && i > 0 {
			return rest[:i:i]
		}
	}
	return rest[:len(rest):len(rest)]
}

// size is about what the item takes on the wire.
func (it *Item) size() int { return len(it.Cache) + len(it.Key) + len(it.Record) + 48 }

// A peer is another replica, as the primary sees it.
type peer struct {
	id topology.ID
	// acked and sent are the numbers of the last write that it acknowledged, and
	// that was sent to it.
	acked, sent uint64
	told        uint64 // the committed number that it was told
	behindSince int64  // when it was sent something or made progress; zero: it has everything
	resentAt    int64  // when everything it lacks was sent again
	differs     bool   // its contents do
	full        bool   // its member has less memory left than it should
	// snapshot is under way, or done, to the learner. Nil: in sync.
	snapshot *snapshot
}

// required reports whether commits wait for the peer.
func (p *peer) required() bool { return p.snapshot == nil || p.snapshot.required }

// listening reports whether the peer gets live writes.
func (p *peer) listening() bool { return p.snapshot == nil || p.snapshot.begun }
