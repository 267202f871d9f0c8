// Package part is one partition on one member: what it holds, and the protocol by which
// its primary, backups and learner keep the same contents.
//
// It is a state machine without goroutines, clocks, randomness or connections. Every
// step is told the time and appends what is to be done to Effects. The algorithm is the
// primary/backup replication of PacificA (Lin et al., 2008), with numbered streams
// instead of a log on disk.
package part

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A Replica is one partition on one member. It is not safe for concurrent use, but for
// Get and Peek, which may run at the same time as each other.
type Replica struct {
	o Options
	store
	done done

	lineage  uint64 // of the configuration
	term     uint64 // likewise
	promised uint64
	epoch    topology.Stamp // of the partition
	reign    topology.Stamp
	primary  topology.ID
	inSync   []topology.ID
	learner  topology.ID
	frozen   bool
	// surplus: there are more copies than there should be, and one may be dropped
	// next. It ends with the epoch.
	surplus bool
	lost    bool // somebody who was left behind may bring more records
	// partial: somebody who does not answer may have records of which nothing is known
	// here, and bring them.
	partial bool
	// held: somebody else has the contents, and may bring them. Nothing is served.
	held   bool
	fences []fence

	lead   *leader   // of a primary
	follow *follower // of a backup or a learner
	give   *offer    // to another cluster
	// tickedAt is when the last tick was.
	tickedAt int64
	// transfers counts snapshots and offers.
	transfers uint64
	counters  Counters
}

// New returns a replica that holds nothing and belongs to no configuration.
func New(o Options) *Replica {
	o = o.withDefaults()
	return &Replica{o: o, store: store{budget: o.Memory, origin: o.Origin, bare: !o.Rules.On(rules.Versioned),
		deletions: deletions{remembered: o.TombstoneAge, brief: o.Brief, tombstones: o.Tombstones}}}
}

// Options of a replica.
type Options struct {
	Self      topology.ID
	Partition int
	Rules     rules.Set
	// TombstoneAge is how long a deletion is remembered while somebody may bring the record
	// back. Zero: 10 minutes.
	TombstoneAge time.Duration
	// Brief is how long it is while all members are there. A fork must not lie further
	// back than that when it is noticed. Zero: 15 s.
	Brief time.Duration
	// Tombstones is how many deletions of a cache are remembered by their keys. More are
	// coalesced. Zero: 4096.
	Tombstones int
	// Resend is after how much silence unacknowledged messages are sent again.
	// Zero: 300 ms.
	Resend time.Duration
	// BackupTimeout is how long a replica may leave writes unacknowledged
	// before it is reported as silent. Zero: 2 s.
	BackupTimeout time.Duration
	// DigestEvery is how often replicas at rest compare their contents. Zero: 10 s.
	DigestEvery time.Duration
	// Sync is how many of the replicas in sync must have a write before it is
	// acknowledged. Zero: all of them. Less than zero: none.
	Sync int
	// Copies is on how many members the partition should be. It matters only if Sync
	// is not zero.
	Copies int
	// MinCopies is how many members must be in sync for requests to write. Those that
	// come while there are fewer wait.
	MinCopies int
	// Merge returns the function that merges a cache's records, or nil if the
	// latest one wins. A nil Merge is one that always returns nil.
	Merge func(cache string) MergeFunc
	// Discards reports whether nothing of a cache is taken from another cluster.
	// Nil: something of all is.
	Discards func(cache string) bool
	// Processors returns the processor of a name, or nil. Nil: there are none.
	Processors func(name string) Processor
	// Evicts reports whether records of a cache may be dropped for lack of memory.
	// Nil: none may, and a learner takes what it gets whatever memory there is.
	Evicts func(cache string) bool
	// Leased: writes are committed under the lease only, since the side of a cut that goes
	// on may not be this one, and does not ask its members.
	Leased bool
	// Origin is the time of day when the monotonic clock was zero, in microseconds
	// since 1970.
	Origin int64
	// Memory is what all replicas of the member may use. Nil: any amount.
	Memory *Budget
}

func (o Options) withDefaults() Options {
	if o.TombstoneAge == 0 {
		o.TombstoneAge = 10 * time.Minute
	}
	if o.Brief == 0 {
		o.Brief = 15 * time.Second
	}
	if o.Tombstones == 0 {
		o.Tombstones = 4096
	}
	if o.Resend == 0 {
		o.Resend = 300 * time.Millisecond
	}
	if o.BackupTimeout == 0 {
		o.BackupTimeout = 2 * time.Second
	}
	if o.DigestEvery == 0 {
		o.DigestEvery = 10 * time.Second
	}
	return o
}

// retry is after how many nanoseconds a message is sent again that the receiver ignores
// if it does not know the configuration yet.
func (o *Options) retry() int64 { return int64(o.Resend) / 3 }

// Now is the time of a step.
type Now struct {
	// Mono is the member's monotonic clock in nanoseconds; only differences
	// matter. It is greater than zero.
	Mono int64
	// Wall is the time of day, which the versions of writes count.
	Wall time.Time
	// Lease is until when, on the monotonic clock, nobody else can have taken the
	// partition over, and the member's copy is in sync if it was.
	Lease int64
}

// An Envelope is a message to a member.
type Envelope struct {
	To  topology.ID
	Msg Message
}

// Effects are what the steps of a replica ask for. The steps append to them; the caller
// carries them out and resets them. The messages are immutable from then on.
type Effects struct {
	Send    []Envelope
	Replies []Reply
	Events  []Event
	// Synced is the learner that has everything, if not zero; or this member, when
	// there are more copies than there should be, and all of them have everything, so
	// that one may be dropped. It is told again until the configuration changes.
	Synced topology.ID
	// Silent are members that hold up the primary's writes, or whose contents
	// differ from the primary's: they should not be in sync any more.
	Silent []topology.ID
	// Merged: everything that was offered has been acknowledged.
	Merged bool
	// Restored is the member that has given everything of a partition that is held, if
	// not zero. It is told again until the configuration changes.
	Restored topology.ID
}

// Reset empties the effects and keeps the memory.
func (fx *Effects) Reset() {
	clear(fx.Send)
	clear(fx.Replies)
	clear(fx.Events)
	*fx = Effects{Send: fx.Send[:0], Replies: fx.Replies[:0], Events: fx.Events[:0], Silent: fx.Silent[:0]}
}

func (fx *Effects) send(to topology.ID, m Message) {
	fx.Send = append(fx.Send, Envelope{to, m})
}
