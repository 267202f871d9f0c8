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
	// where there are so many. Whatever is acknowledged is on all of them. -1: every
	// member.
	Replicas int
	// Security: give Secret, or the three files. Plaintext is for loopback only.
	Security Security
	// OnSplit says what happens when the network splits the grid.
	OnSplit OnSplit
	// LocalReads lets a member answer a read from its own copy, even if it is not the
	// primary. The answer has every write that was acknowledged, and may have one that
	// is not yet.
	LocalReads bool
	// MaxBytes bounds the memory of this member: keys, records and what manages them,
	// copies included. Zero: no bound. WhenFull says what a write does then.
	MaxBytes int64
	WhenFull WhenFull
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
}

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
	case o.MaxBytes < 0 || o.RequestTimeout < 0 || o.JoinTimeout < 0 || o.LeaveTimeout < 0:
		return node.Options{}, fmt.Errorf("%w: maxBytes and timeouts must not be negative", jcache.ErrInvalid)
	case o.FailureTimeout < minFailureTimeout:
		return node.Options{}, fmt.Errorf("%w: failureTimeout must be %v or more", jcache.ErrInvalid, minFailureTimeout)
	case o.Security.Secret == "" && o.Security.CAFile == "" && !o.Security.Plaintext:
		return node.Options{}, fmt.Errorf("%w: give a secret or tls files, or allow plaintext on a loopback address", jcache.ErrInvalid)
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
		Listen: listen, Advertise: o.Advertise, Join: join, Cluster: o.Domain, Zone: o.Zone, Security: o.Security,
		Partitions: partitions, Copies: copies, Consistency: o.OnSplit == Consistency, LocalReads: o.LocalReads,
		Startup: o.JoinTimeout, Silence: o.FailureTimeout, Logger: o.Logger,
		Replica: part.Options{Memory: o.budget(), Evicts: func(string) bool { return o.WhenFull == Evict }},
	}, nil
}

// allMembers is more copies than a grid has members.
const allMembers = 1 << 16

func init() {
	jcache.Register(driver.Definition{
		Name: "peer",
		Doc:  "Keeps caches in the processes themselves, which form a grid and hold copies of each other's records.",
		Settings: []driver.Setting{
			{Name: "listen", Kind: driver.KindList, Default: defaultListen,
				Doc: "Where other members connect: host:port, or host:first-last for several ports; the first address that is free is taken."},
			{Name: "advertise", Doc: "The address at which the others reach this process, if it is not the one that it listens on."},
			{Name: "join", Kind: driver.KindList,
				Doc: "Addresses of other members, as in listen; its own may be among them. Empty: a grid of its own is begun, which others may join."},
			{Name: "domain", Default: defaultDomain, Doc: "Name of the grid, the same for all members."},
			{Name: "zone", Doc: "What fails together with this process; copies are in other zones as long as there are any."},
			{Name: "replicas", Default: "1", Doc: "How many members have a copy besides the primary, or domain for all of them."},
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
			{Name: "reads", Default: "primary", OneOf: []string{"primary", "local"},
				Doc: "Who answers a read: the primary, or this member if it has a copy, which may show a write that is not acknowledged yet."},
			{Name: "maxBytes", Kind: driver.KindSize, Doc: "Bound on this member's memory for records, copies included; 0: none."},
			{Name: "whenFull", Default: "reject", OneOf: []string{"evict", "reject"},
				Doc: "What a write to a full member does: drop a record not used for long, or fail."},
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
			opts, err := optionsOf(cfg.Values)
			if err == nil {
				_, err = opts.withDefaults().node()
			}
			return nil, err
		},
		Open: func(ctx context.Context, cfg driver.Config) (driver.Provider, error) {
			opts, err := optionsOf(cfg.Values)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
			}
			return Connect(ctx, opts)
		},
	})
}

// optionsOf reads the settings.
func optionsOf(v driver.Values) (Options, error) {
	tls := v.Group("tls")
	opts := Options{
		Listen: v.List("listen"), Advertise: v.String("advertise"), Join: v.List("join"), Domain: v.String("domain"), Zone: v.String("zone"),
		Security: Security{Secret: v.String("secret"), CAFile: tls.String("caFile"), CertFile: tls.String("certFile"),
			KeyFile: tls.String("keyFile"), Names: tls.List("names"), Plaintext: v.Bool("plaintext")},
		LocalReads: v.String("reads") == "local", MaxBytes: v.Int("maxBytes"),
		RequestTimeout: v.Duration("requestTimeout"), JoinTimeout: v.Duration("joinTimeout"), LeaveTimeout: v.Duration("leaveTimeout"),
		FailureTimeout: v.Duration("failureTimeout"),
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
	return opts, nil
}
