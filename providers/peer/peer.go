package peer

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// Options says who this member is and where the others are. All members have the same
// Domain, Security and Replicas.
type Options struct {
	// Mode is the part that this process has. Either all processes of a grid have the
	// mode Both, or each is a Server or a Client. Of the options, Listen, Advertise,
	// Zone, Replicas and what is said of copies, OnSplit, LocalReads, MaxBytes and
	// WhenFull are not for a client: it does not listen and holds nothing.
	Mode Mode
	// Listen is where other members connect: host:port, or host:first-last for
	// several ports. The first address that is free is taken. Empty: any free port of
	// 127.0.0.1.
	Listen []string
	// Advertise is the address at which the others reach this process, if it is not
	// the one that it listens on; without a port, that is the one that it listens on. Empty, if
	// this process listens on all addresses of the machine: its private address, which must
	// be the only one.
	Advertise string
	// Join are addresses of other members, as in Listen; this process's own may be
	// among them. One that is up is enough: it knows the
	// others. Empty: this process begins a grid of its own, which others may join.
	Join []string
	// Domain is the name of the grid. Empty: "keepsake".
	Domain string
	// Zone names what fails together with this process: a rack, a machine room.
	// Copies are in other zones as long as there are any.
	Zone string
	// Replicas is how many members have a copy of each record besides its primary,
	// where there are so many. -1: every member.
	Replicas int
	// SyncReplicas is how many of the replicas have a write before it is acknowledged;
	// the others get it a moment later. What is acknowledged survives the loss of that
	// many members at once. Zero: all of them. -1: none. Less than all goes neither with
	// LocalReads, since a copy may lack a write, nor with Consistency, since the larger
	// side may.
	SyncReplicas int
	// MinCopies is how many members must have a copy of a record, the primary included,
	// for it to be written. While there are fewer, writes wait. Zero: one.
	MinCopies int
	// Security: give Secret, or the three files. Plaintext is for loopback only.
	Security Security
	// OnSplit says what happens when the network splits the grid.
	OnSplit OnSplit
	// ForgetAfter is for how long records wait for the members that have them and do not
	// answer, if no other has a copy. Then they count as lost. Zero: ten minutes. Less than
	// zero: for ever.
	ForgetAfter time.Duration
	// Merge says, by the name of a cache, what becomes of its records when the sides of a
	// split meet again. The empty name stands for all caches that are not named. Nil:
	// MergeLatest for all.
	Merge map[string]MergePolicy
	// LocalReads lets a member answer a read from its own copy, even if it is not the
	// primary. The answer has every write that was acknowledged, and may have one that
	// is not yet.
	LocalReads bool
	// MaxBytes bounds the memory of this member: keys, records and what manages them,
	// copies included. Zero: no bound. WhenFull says what a write does then.
	MaxBytes int64
	WhenFull WhenFull
	// NearBytes bounds the records that a client keeps because it has read them, keys
	// included. Reading them again costs no round trip, and may return what was the
	// record up to two seconds ago. Zero: it keeps none.
	NearBytes int64
	// RequestTimeout bounds an operation whose context has no deadline. Zero: five
	// seconds.
	RequestTimeout time.Duration
	// JoinTimeout is how long the others are looked for before a grid of its own is
	// begun. Zero: three seconds.
	JoinTimeout time.Duration
	// FailureTimeout is after how much silence a member is replaced; it must then come
	// back empty. Raise it where processes may stand still for long, for lack of
	// processors for instance. Zero: 1.5 seconds; the least is half a second.
	FailureTimeout time.Duration
	// LeaveTimeout bounds the time in which Close hands everything over. Zero: 15
	// seconds, which is less than what Kubernetes gives a process to end.
	LeaveTimeout time.Duration
	// Logger hears of members that come and go. Nil: slog.Default().
	Logger *slog.Logger
	// Clock returns the time of day, by which the sides of a split decide which write
	// of a key is the later one. It is for tests of clocks that disagree. Nil:
	// time.Now.
	Clock func() time.Time

	network node.Network // of tests; the zero one is TCP
	machine *machine     // of tests; nil is this one
}

// Mode is the part of a process in the grid.
type Mode uint8

// The modes.
const (
	// Both holds records, and asks for them.
	Both Mode = Mode(node.Both)
	// Server holds records for clients.
	Server Mode = Mode(node.Server)
	// Client holds none: it asks the members, each for what that is the primary of.
	Client Mode = Mode(node.Client)
)

// String returns the word that the configuration has for a mode.
func (m Mode) String() string { return node.Mode(m).String() }

// Security says whom to trust: who proves to know the secret, or who has a certificate of
// the authority. Exactly one of Secret, the three files and Plaintext is given. Everything
// but plaintext is TLS 1.3.
type Security struct {
	// Secret is shared by all members, who prove to each other that they know it,
	// and needs no files. Secrets that are short, repeated or regular are refused:
	// whoever can connect can try one guess with each connection. The command
	// "keepsake secret" prints a good one.
	Secret string
	// CAFile, CertFile and KeyFile are PEM files: the authority that signs the
	// members' certificates, and this one's certificate and key. They are read again
	// for each connection, so that they can be replaced while the process runs;
	// files that cannot be read then leave the last good ones in force.
	CAFile, CertFile, KeyFile string
	// Names are the DNS names, IP addresses and URIs of which a peer's certificate
	// must have one. Empty: every certificate of the authority is a member's.
	Names []string
	// Plaintext trusts everybody. It is for loopback addresses only.
	Plaintext bool
}

// OnSplit is what the sides of a split do.
type OnSplit uint8

const (
	// Auto has, of three members or more, only the side with most of them go on; of two,
	// both sides do, and merge when they meet again.
	Auto OnSplit = iota
	// Availability has all sides go on, each with the records that it has a copy of, and
	// merge when they meet again.
	Availability
	// Consistency has only the side with more members go on; of equal sides, the one
	// with the oldest member.
	Consistency
)

// WhenFull is what happens to a write that finds no room.
type WhenFull uint8

const (
	// Reject fails the write with jcache.ErrFull.
	Reject WhenFull = iota
	// Evict drops a record that was not used for long.
	Evict
)

const (
	defaultListen         = "127.0.0.1:0"
	defaultDomain         = "keepsake"
	defaultForgetAfter    = 10 * time.Minute
	defaultRequestTimeout = 5 * time.Second
	defaultJoinTimeout    = 3 * time.Second
	defaultFailureTimeout = 1500 * time.Millisecond
	minFailureTimeout     = 500 * time.Millisecond
	defaultLeaveTimeout   = 15 * time.Second

	// partitions is the same in every grid. It is prime, and large enough to spread
	// well over dozens of members.
	partitions = 271
)

// Open joins the grid, or begins one, and returns a manager of the caches in it. Closing
// the manager leaves the grid, and hands this process's records over first.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "peer", Logger: opts.Logger})
}

func (o Options) withDefaults() Options {
	if len(o.Listen) == 0 {
		o.Listen = []string{defaultListen}
	}
	if o.Domain == "" {
		o.Domain = defaultDomain
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.JoinTimeout == 0 {
		o.JoinTimeout = defaultJoinTimeout
	}
	if o.FailureTimeout == 0 {
		o.FailureTimeout = defaultFailureTimeout
	}
	if o.LeaveTimeout == 0 {
		o.LeaveTimeout = defaultLeaveTimeout
	}
	if o.ForgetAfter == 0 {
		o.ForgetAfter = defaultForgetAfter
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// node turns complete options into those of the node.
func (o Options) node() (node.Options, error) {
	reached, err := o.check(setting.Of(settings, &o))
	if err != nil {
		return node.Options{}, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	listen, _ := addresses(o.Listen, anyPort) // check has read them
	join, _ := addresses(o.Join, fixedPort)
	copies := o.Replicas + 1
	if o.Replicas == -1 {
		copies = allMembers
	}
	return node.Options{
		Mode: node.Mode(o.Mode), Listen: listen, Advertise: reached.addr, AdvertiseHost: reached.host, Join: join, Cluster: o.Domain, Zone: o.Zone, Security: wire.Security(o.Security),
		Partitions: partitions, Copies: copies, Split: splits[o.OnSplit], ForgetAfter: max(o.ForgetAfter, 0), LocalReads: o.LocalReads,
		Startup: o.JoinTimeout, Silence: o.FailureTimeout, Logger: o.Logger, Clock: o.Clock, Network: o.network,
		Replica: part.Options{Sync: o.sync(), Copies: copies, MinCopies: o.MinCopies, Memory: &part.Budget{Max: o.MaxBytes}, Evicts: o.evicts(), Processors: processor,
			Merge: o.mergeFunc, Discards: o.discards},
	}, nil
}

// splits are the values of OnSplit as the view has them.
var splits = map[OnSplit]view.Split{Auto: view.Auto, Availability: view.All, Consistency: view.Most}

// lags reports whether a write may be acknowledged before all replicas have it.
func (o Options) lags() bool {
	return o.SyncReplicas != 0 && (o.Replicas == -1 || max(o.SyncReplicas, 0) < o.Replicas)
}

// sync is SyncReplicas, or zero if that is all of them anyway.
func (o Options) sync() int {
	if !o.lags() {
		return 0
	}
	return o.SyncReplicas
}

// leastCopies is how many members have a write that is acknowledged while nobody fails, the
// primary included.
func (o Options) leastCopies() int {
	switch {
	case o.lags():
		return max(o.SyncReplicas, 0) + 1
	case o.Replicas == -1:
		return allMembers
	}
	return o.Replicas + 1
}

// allMembers is more copies than a grid has members.
const allMembers = 1 << 16
