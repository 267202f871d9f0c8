package peer

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// settings are what a configuration file says of a member.
var settings = []setting.Setting{
	setting.Choice(setting.Setting{Name: "mode", Default: "both",
		Doc: "Which part this process has: both holds records and uses the grid; or each process is a server, which holds records, or a client, which asks the servers."},
		func(o *Options) *Mode { return &o.Mode }, map[string]Mode{"both": Both, "server": Server, "client": Client}),
	setting.Into(setting.Setting{Name: "listen", Default: defaultListen, Check: checkAddresses(anyPort),
		Doc: "Where other members connect: host:port, or host:first-last for several ports; the first address that is free is taken. 0.0.0.0 or [::] for all addresses of the machine."},
		func(o *Options) *[]string { return &o.Listen }),
	setting.Into(setting.Setting{Name: "advertise", Check: checkAdvertise,
		Doc: "The address at which the others reach this process, host:port or host, if it is not the one that it listens on. Empty while it listens on all: the one private address of the machine."},
		func(o *Options) *string { return &o.Advertise }),
	setting.Into(setting.Setting{Name: "join", Check: checkAddresses(fixedPort),
		Doc: "Addresses of other members, as in listen; its own may be among them. Empty: a grid of its own is begun, which others may join."},
		func(o *Options) *[]string { return &o.Join }),
	setting.Into(setting.Setting{Name: "domain", Default: defaultDomain, Check: checkName, Doc: "Name of the grid, the same for all members."},
		func(o *Options) *string { return &o.Domain }),
	setting.Into(setting.Setting{Name: "zone", Check: checkName, Doc: "What fails together with this process; copies are in other zones as long as there are any."},
		func(o *Options) *string { return &o.Zone }),
	setting.Parsed(setting.Setting{Name: "replicas", Default: "1", Doc: "How many members have a copy besides the primary, 0 to 16, or domain for all of them."},
		func(o *Options) *int { return &o.Replicas }, parseReplicas),
	setting.Parsed(setting.Setting{Name: "syncReplicas", Default: "all",
		Doc: "How many of the replicas have a write before it is acknowledged, 0 to 16, or all; it survives the loss of that many members at once."},
		func(o *Options) *int { return &o.SyncReplicas }, parseSyncReplicas),
	setting.Into(setting.Setting{Name: "minCopies", Default: "1", Min: 1, Max: allMembers,
		Doc: "How many members must have a copy, the primary included, for a record to be written; writes wait while there are fewer."},
		func(o *Options) *int { return &o.MinCopies }),
	setting.Into(setting.Setting{Name: "secret", Secret: true, Check: checkSecret,
		Doc: "What all members know, 16 characters or more that nobody guesses, such as keepsake secret prints: connections are TLS, and prove it."},
		func(o *Options) *string { return &o.Security.Secret }),
	{Name: "tls", Kind: setting.KindGroup, Doc: "TLS with certificates instead of a secret, in both directions.", Group: []setting.Setting{
		setting.Into(setting.Setting{Name: "caFile", Kind: setting.KindFile, Doc: "PEM file of the authority that signs the members' certificates."},
			func(o *Options) *string { return &o.Security.CAFile }),
		setting.Into(setting.Setting{Name: "certFile", Kind: setting.KindFile, Doc: "PEM file of this member's certificate."},
			func(o *Options) *string { return &o.Security.CertFile }),
		setting.Into(setting.Setting{Name: "keyFile", Kind: setting.KindFile, Doc: "PEM file of the private key of certFile."},
			func(o *Options) *string { return &o.Security.KeyFile }),
		setting.Into(setting.Setting{Name: "names", Doc: "Names of which a member's certificate must have one; empty: any of the authority's."},
			func(o *Options) *[]string { return &o.Security.Names }),
	}, Rules: []setting.Rule{setting.Together("caFile", "certFile", "keyFile"), setting.Requires("names", "caFile")}},
	setting.Into(setting.Setting{Name: "plaintext", Doc: "Whether connections are neither encrypted nor authenticated; on loopback addresses only."},
		func(o *Options) *bool { return &o.Security.Plaintext }),
	setting.Choice(setting.Setting{Name: "onSplit", Default: "auto",
		Doc: "What the sides of a split do: all go on and merge later (availability); only the larger one goes on (consistency); or auto, which is consistency for three members or more and availability for two."},
		func(o *Options) *OnSplit { return &o.OnSplit }, map[string]OnSplit{"auto": Auto, "availability": Availability, "consistency": Consistency}),
	setting.Parsed(setting.Setting{Name: "forgetAfter", Default: "10m",
		Doc: "How long records wait for members that do not answer, if no other has a copy, before they count as lost; or never."},
		func(o *Options) *time.Duration { return &o.ForgetAfter }, parseForgetAfter),
	setting.Parsed(setting.Setting{Name: "merge", Default: "latest",
		Doc: "What becomes of the smaller side's records afterwards: latest, first (the larger side's stay) or discard, and name=policy for single caches."},
		func(o *Options) *map[string]MergePolicy { return &o.Merge }, parseMerge),
	setting.Choice(setting.Setting{Name: "reads", Default: "primary",
		Doc: "Who answers a read: the primary, or this member if it has a copy, which may show a write that is not acknowledged yet."},
		func(o *Options) *bool { return &o.LocalReads }, map[string]bool{"primary": false, "local": true}),
	setting.Into(setting.Setting{Name: "maxBytes", Kind: setting.KindSize, Doc: "Bound on this member's memory for records, copies included; 0: none."},
		func(o *Options) *int64 { return &o.MaxBytes }),
	setting.Choice(setting.Setting{Name: "whenFull", Default: "reject", Doc: "What a write to a full member does: drop a record not used for long, or fail."},
		func(o *Options) *WhenFull { return &o.WhenFull }, map[string]WhenFull{"evict": Evict, "reject": Reject}),
	setting.Into(setting.Setting{Name: "nearBytes", Kind: setting.KindSize,
		Doc: "How much a client keeps of what it has read, which may then be two seconds old; 0: nothing."},
		func(o *Options) *int64 { return &o.NearBytes }),
	setting.Into(setting.Setting{Name: "requestTimeout", Default: "5s", Min: int64(time.Millisecond), Doc: "Bound on an operation whose caller gave none."},
		func(o *Options) *time.Duration { return &o.RequestTimeout }),
	setting.StartTimeout(),
	setting.WhenDown(),
	setting.Into(setting.Setting{Name: "joinTimeout", Default: "3s", Min: int64(time.Millisecond),
		Doc: "How long the others are looked for before a grid of its own is begun."},
		func(o *Options) *time.Duration { return &o.JoinTimeout }),
	setting.Into(setting.Setting{Name: "failureTimeout", Default: "1500ms", Min: int64(minFailureTimeout),
		Doc: "After how much silence a member is replaced; raise it where processes may stand still for long."},
		func(o *Options) *time.Duration { return &o.FailureTimeout }),
	setting.Into(setting.Setting{Name: "leaveTimeout", Default: "15s", Min: int64(time.Millisecond),
		Doc: "How long a process that ends may take to hand its records over; whoever starts it must give it longer."},
		func(o *Options) *time.Duration { return &o.LeaveTimeout }),
}

var rules = []setting.Rule{
	setting.AtLeastOne("secret", "tls", "plaintext").Because("plaintext is for loopback addresses"),
	setting.AtMostOne("secret", "tls", "plaintext"),
	setting.RequiredWith("join", "mode", "client").Because("it asks the members at these addresses"),
	setting.OnlyWith("nearBytes", "mode", "client"),
}

func init() {
	jcache.Register(driver.Definition{
		Name:     "peer",
		Doc:      "Keeps caches in the processes themselves, which form a grid and hold copies of each other's records.",
		Settings: settings,
		Rules:    rules,
		Check: func(cfg driver.Config) ([]string, error) {
			_, err := optionsOf(cfg.Values).withDefaults().check(cfg.Values)
			return nil, err
		},
		Resolve: func(cfg driver.Config) ([]setting.Resolved, error) {
			reached, err := optionsOf(cfg.Values).withDefaults().check(cfg.Values)
			if err != nil || reached.host == "" || cfg.Values.String("advertise") != "" {
				return nil, err
			}
			return []setting.Resolved{{Name: "advertise", Value: reached.host, From: "the address at which other machines reach this one"}}, nil
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

// OptionsOf reads the options from the settings of a configuration, for programs that
// change them before they connect. The error joins what is wrong with single settings.
func OptionsOf(v driver.Values) (Options, error) {
	if err := setting.Validate(settings, nil, v); err != nil {
		return Options{}, err
	}
	return optionsOf(v), nil
}

func optionsOf(v driver.Values) (o Options) {
	setting.Fill(settings, v, &o)
	return o
}

// maxReplicas is more than anybody needs, short of all members.
const maxReplicas = 16

func parseForgetAfter(text string) (time.Duration, error) {
	if text == "never" {
		return -1, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, errors.New("is neither a duration such as 10m nor never")
	}
	return d, nil
}

func parseReplicas(text string) (int, error) {
	if text == "domain" {
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > maxReplicas {
		return 0, errors.New("is neither a number from 0 to 16 nor domain")
	}
	return n, nil
}

func parseSyncReplicas(text string) (int, error) {
	if text == "all" {
		return 0, nil
	}
	n, err := strconv.Atoi(text)
	switch {
	case err != nil || n < 0 || n > maxReplicas:
		return 0, errors.New("is neither a number from 0 to 16 nor all")
	case n == 0:
		return -1, nil
	}
	return n, nil
}

// maxName bounds what each member tells the others of itself; the gossip carries 512 bytes.
const maxName = 128

func checkName(value any) error {
	if len(value.(string)) > maxName {
		return fmt.Errorf("has more than %d bytes", maxName)
	}
	return nil
}

func checkSecret(value any) error {
	if s := value.(string); s != "" {
		return wire.CheckSecret(s)
	}
	return nil
}
