package peer

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
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
	// the one that it listens on.
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
	// LeaveTimeout bounds the time in which Close hands everything over. Zero: one
	// minute.
	LeaveTimeout time.Duration
	// Logger hears of members that come and go. Nil: slog.Default().
	Logger *slog.Logger
	// Clock returns the time of day, by which the sides of a split decide which write
	// of a key is the later one. It is for tests of clocks that disagree. Nil:
	// time.Now.
	Clock func() time.Time

	network node.Network // of tests; the zero one is TCP
}

// Mode is the part of a process in the grid.
type Mode = node.Mode

// The modes.
const (
	// Both holds records, and asks for them.
	Both = node.Both
	// Server holds records for clients.
	Server = node.Server
	// Client holds none: it asks the members, each for what that is the primary of.
	Client = node.Client
)

// Security says whom to trust: who proves to know the secret, or who has a certificate of
// the authority.
type Security = wire.Security

// OnSplit is what the sides of a split do.
type OnSplit uint8

const (
	// Availability has both sides go on, and merge when they meet again.
	Availability OnSplit = iota
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
	defaultRequestTimeout = 5 * time.Second
	defaultJoinTimeout    = 3 * time.Second
	defaultFailureTimeout = 1500 * time.Millisecond
	minFailureTimeout     = 500 * time.Millisecond
	defaultLeaveTimeout   = time.Minute

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
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "peer"})
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
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	return o
}

// node turns complete options into those of the node.
func (o Options) node() (node.Options, error) {
	switch {
	case o.Replicas < -1:
		return node.Options{}, fmt.Errorf("%w: replicas must be -1 for all members, or not negative", jcache.ErrInvalid)
	case o.SyncReplicas < -1:
		return node.Options{}, fmt.Errorf("%w: syncReplicas must be -1 for none, or not negative", jcache.ErrInvalid)
	case o.lags() && o.LocalReads:
		return node.Options{}, fmt.Errorf("%w: reads from local copies need syncReplicas to be all: another copy may lack an acknowledged write", jcache.ErrInvalid)
	case o.lags() && o.OnSplit == Consistency:
		return node.Options{}, fmt.Errorf("%w: consistency on a split needs syncReplicas to be all: the larger side may lack an acknowledged write", jcache.ErrInvalid)
	case o.MinCopies < 0 || o.MinCopies > o.leastCopies():
		return node.Options{}, fmt.Errorf("%w: minCopies must be from 1 to %d, the primary and the replicas that writes wait for", jcache.ErrInvalid, o.leastCopies())
	case o.Mode > Client:
		return node.Options{}, fmt.Errorf("%w: mode is none of both, server and client", jcache.ErrInvalid)
	case o.Mode == Client && len(o.Join) == 0:
		return node.Options{}, fmt.Errorf("%w: a client needs addresses of members: join", jcache.ErrInvalid)
	case o.NearBytes < 0 || o.NearBytes > 0 && o.Mode != Client:
		return node.Options{}, fmt.Errorf("%w: nearBytes must not be negative, and is for the mode client", jcache.ErrInvalid)
	case o.MaxBytes < 0 || o.RequestTimeout < 0 || o.JoinTimeout < 0 || o.LeaveTimeout < 0:
		return node.Options{}, fmt.Errorf("%w: maxBytes and timeouts must not be negative", jcache.ErrInvalid)
	case o.FailureTimeout < minFailureTimeout:
		return node.Options{}, fmt.Errorf("%w: failureTimeout must be %v or more", jcache.ErrInvalid, minFailureTimeout)
	case o.Security.Secret == "" && o.Security.CAFile == "" && !o.Security.Plaintext:
		return node.Options{}, fmt.Errorf("%w: give a secret or tls files, or allow plaintext on a loopback address", jcache.ErrInvalid)
	}
	if err := o.checkMerge(); err != nil {
		return node.Options{}, err
	}
	listen, err := addresses(o.Listen)
	if err != nil {
		return node.Options{}, fmt.Errorf("%w: listen: %w", jcache.ErrInvalid, err)
	}
	join, err := addresses(o.Join)
	if err != nil {
		return node.Options{}, fmt.Errorf("%w: join: %w", jcache.ErrInvalid, err)
	}
	copies := o.Replicas + 1
	if o.Replicas == -1 {
		copies = allMembers
	}
	return node.Options{
		Mode: o.Mode, Listen: listen, Advertise: o.Advertise, Join: join, Cluster: o.Domain, Zone: o.Zone, Security: o.Security,
		Partitions: partitions, Copies: copies, Consistency: o.OnSplit == Consistency, LocalReads: o.LocalReads,
		Startup: o.JoinTimeout, Silence: o.FailureTimeout, Logger: o.Logger, Clock: o.Clock, Network: o.network,
		Replica: part.Options{Sync: o.sync(), Copies: copies, MinCopies: o.MinCopies, Memory: o.budget(), Evicts: func(string) bool { return o.WhenFull == Evict }, Processors: processor,
			Merge: o.mergeFunc, Discards: o.discards},
	}, nil
}

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

func init() {
	jcache.Register(driver.Definition{
		Name: "peer",
		Doc:  "Keeps caches in the processes themselves, which form a grid and hold copies of each other's records.",
		Settings: []driver.Setting{
			{Name: "mode", Default: "both", OneOf: []string{"both", "client", "server"},
				Doc: "Which part this process has: both holds records and uses the grid; or each process is a server, which holds records, or a client, which asks the servers."},
			{Name: "listen", Kind: driver.KindList, Default: defaultListen,
				Doc: "Where other members connect: host:port, or host:first-last for several ports; the first address that is free is taken."},
			{Name: "advertise", Doc: "The address at which the others reach this process, if it is not the one that it listens on."},
			{Name: "join", Kind: driver.KindList,
				Doc: "Addresses of other members, as in listen; its own may be among them. Empty: a grid of its own is begun, which others may join."},
			{Name: "domain", Default: defaultDomain, Doc: "Name of the grid, the same for all members."},
			{Name: "zone", Doc: "What fails together with this process; copies are in other zones as long as there are any."},
			{Name: "replicas", Default: "1", Doc: "How many members have a copy besides the primary, or domain for all of them."},
			{Name: "syncReplicas", Default: "all", Doc: "How many of the replicas have a write before it is acknowledged, or all; it survives the loss of that many members at once."},
			{Name: "minCopies", Kind: driver.KindInt, Default: "1", Min: 1,
				Doc: "How many members must have a copy, the primary included, for a record to be written; writes wait while there are fewer."},
			{Name: "secret", Secret: true, Doc: "What all members know, 16 characters or more: connections are TLS, and prove it."},
			{Name: "tls", Kind: driver.KindGroup, Doc: "TLS with certificates instead of a secret, in both directions.", Group: []driver.Setting{
				{Name: "caFile", Kind: driver.KindFile, Doc: "PEM file of the authority that signs the members' certificates."},
				{Name: "certFile", Kind: driver.KindFile, Doc: "PEM file of this member's certificate."},
				{Name: "keyFile", Kind: driver.KindFile, Doc: "PEM file of the private key of certFile."},
				{Name: "names", Kind: driver.KindList, Doc: "Names of which a member's certificate must have one; empty: any of the authority's."},
			}},
			{Name: "plaintext", Kind: driver.KindBool, Doc: "Whether connections are neither encrypted nor authenticated; on loopback addresses only."},
			{Name: "onSplit", Default: "availability", OneOf: []string{"availability", "consistency"},
				Doc: "What the sides of a split do: both go on and merge later, or only the larger one goes on."},
			{Name: "merge", Kind: driver.KindList, Default: "latest",
				Doc: "What becomes of the smaller side's records afterwards: latest, first (the larger side's stay) or discard, and name=policy for single caches."},
			{Name: "reads", Default: "primary", OneOf: []string{"primary", "local"},
				Doc: "Who answers a read: the primary, or this member if it has a copy, which may show a write that is not acknowledged yet."},
			{Name: "maxBytes", Kind: driver.KindSize, Doc: "Bound on this member's memory for records, copies included; 0: none."},
			{Name: "whenFull", Default: "reject", OneOf: []string{"evict", "reject"},
				Doc: "What a write to a full member does: drop a record not used for long, or fail."},
			{Name: "nearBytes", Kind: driver.KindSize,
				Doc: "How much a client keeps of what it has read, which may then be two seconds old; 0: nothing. Only for the mode client."},
			{Name: "requestTimeout", Kind: driver.KindDuration, Default: "5s", Min: int64(100 * time.Millisecond),
				Doc: "Bound on an operation whose caller gave none."},
			{Name: "joinTimeout", Kind: driver.KindDuration, Default: "3s", Min: int64(10 * time.Millisecond),
				Doc: "How long the others are looked for before a grid of its own is begun."},
			{Name: "failureTimeout", Kind: driver.KindDuration, Default: "1500ms", Min: int64(minFailureTimeout),
				Doc: "After how much silence a member is replaced; raise it where processes may stand still for long."},
			{Name: "leaveTimeout", Kind: driver.KindDuration, Default: "1m", Min: int64(10 * time.Millisecond),
				Doc: "How long a process that ends may take to hand its records over."},
		},
		Check: func(cfg driver.Config) ([]string, error) {
			opts, err := OptionsOf(cfg.Values)
			if err == nil {
				_, err = opts.withDefaults().node()
			}
			return nil, err
		},
		Open: func(ctx context.Context, cfg driver.Config) (driver.Provider, error) {
			opts, err := OptionsOf(cfg.Values)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
			}
			return Connect(ctx, opts)
		},
	})
}

var modes = map[string]Mode{"both": Both, "server": Server, "client": Client}

// OptionsOf reads the options from the settings of a configuration, for programs that
// change them before they connect.
func OptionsOf(v driver.Values) (Options, error) {
	tls := v.Group("tls")
	opts := Options{
		Mode: modes[v.String("mode")], NearBytes: v.Int("nearBytes"),
		Listen: v.List("listen"), Advertise: v.String("advertise"), Join: v.List("join"), Domain: v.String("domain"), Zone: v.String("zone"),
		Security: Security{Secret: v.String("secret"), CAFile: tls.String("caFile"), CertFile: tls.String("certFile"),
			KeyFile: tls.String("keyFile"), Names: tls.List("names"), Plaintext: v.Bool("plaintext")},
		LocalReads: v.String("reads") == "local", MaxBytes: v.Int("maxBytes"),
		RequestTimeout: v.Duration("requestTimeout"), JoinTimeout: v.Duration("joinTimeout"), LeaveTimeout: v.Duration("leaveTimeout"),
		FailureTimeout: v.Duration("failureTimeout"), MinCopies: int(v.Int("minCopies")),
	}
	var err error
	if opts.Merge, err = parseMerge(v.List("merge")); err != nil {
		return opts, err
	}
	if v.String("onSplit") == "consistency" {
		opts.OnSplit = Consistency
	}
	if v.String("whenFull") == "evict" {
		opts.WhenFull = Evict
	}
	switch replicas := v.String("replicas"); replicas {
	case "domain":
		opts.Replicas = -1
	default:
		n, err := strconv.Atoi(replicas)
		if err != nil || n < 0 || n > 16 {
			return opts, errors.New("replicas: is neither a number from 0 to 16 nor domain")
		}
		opts.Replicas = n
	}
	if sync := v.String("syncReplicas"); sync != "all" {
		n, err := strconv.Atoi(sync)
		if err != nil || n < 0 || n > 16 {
			return opts, errors.New("syncReplicas: is neither a number from 0 to 16 nor all")
		}
		if opts.SyncReplicas = n; n == 0 {
			opts.SyncReplicas = -1
		}
	}
	return opts, nil
}
