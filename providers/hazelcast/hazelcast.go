package hazelcast

import (
	"context"
	"crypto/tls"
	_ "embed" // for MemberConfig
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// MemberConfig is the member configuration that this provider recommends, a
// commented hazelcast.xml. Members find their port in the system property
// keepsake.port and the list of all members in keepsake.members.
//
//go:embed hazelcast-member.xml
var MemberConfig string

// Options configures the provider. Servers or ClientFile must be given.
type Options struct {
	// ClientFile is the path of a Java client's hazelcast-client.xml or
	// hazelcast-client.yaml, or of a member's hazelcast.xml or hazelcast.yaml. The other
	// options override what it says.
	ClientFile string
	// Servers are addresses of members, host:port, to begin with; the others are
	// learned from them. Without a port, 5701 to 5703 are tried.
	Servers []string
	// ClusterName must be the members' own. Empty: "dev", as with Hazelcast.
	ClusterName string
	// MapPrefix is put before a cache's name to make the name of its map. Empty:
	// "keepsake.".
	MapPrefix string
	// User and Password are the client's identity, if the members ask for one.
	User, Password string
	// TLS encrypts the connections. Nil: they are not encrypted. Without a
	// ServerName the members' certificates must be for one of the hosts in
	// Servers.
	TLS *tls.Config
	// RequestTimeout bounds an operation whose context has no deadline. Zero:
	// five seconds.
	RequestTimeout time.Duration
	// ConnectTimeout bounds Open where its context has no deadline. Zero: ten
	// seconds. Minus a second: it has no bound.
	ConnectTimeout time.Duration
	// MaxRecordBytes is the largest record that is stored. Zero: 4 MiB. The Go
	// client puts a reply together in a time that is quadratic in its size, and the
	// other calls of the connection wait for it.
	MaxRecordBytes int
	// Logger hears of lost connections and of map configurations that cost
	// speed. Nil: slog.Default().
	Logger *slog.Logger
}

const (
	defaultClusterName    = "dev"
	defaultMapPrefix      = "keepsake."
	defaultRequestTimeout = 5 * time.Second
	defaultConnectTimeout = 10 * time.Second
	defaultMaxRecordBytes = 4 << 20
)

// Open connects to a cluster and returns a manager of caches in it. If no member
// answers before the context ends, the error matches jcache.ErrUnavailable. If one
// refuses the client, or has another protocol or no good certificate, or if no server's name
// is known, it matches jcache.ErrMisconfigured and comes at once.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "hazelcast", Logger: opts.Logger})
}

var settings = []setting.Setting{
	setting.Into(setting.Setting{Name: "servers", Check: checkServers,
		Doc: "Addresses of members, host:port, to begin with; without a port 5701 to 5703 are tried. Required without a uri."},
		func(o *Options) *[]string { return &o.Servers }),
	setting.Into(setting.Setting{Name: "clusterName", Doc: "Name of the cluster, the same as the members'; dev if neither it nor the file says otherwise."},
		func(o *Options) *string { return &o.ClusterName }),
	setting.Into(setting.Setting{Name: "mapPrefix", Default: defaultMapPrefix, Doc: "What is put before a cache's name to make the name of its map."},
		func(o *Options) *string { return &o.MapPrefix }),
	setting.Into(setting.Setting{Name: "user", Doc: "Name of the client's identity, if the members ask for one."},
		func(o *Options) *string { return &o.User }),
	setting.Into(setting.Setting{Name: "password", Secret: true, Doc: "Password of user."},
		func(o *Options) *string { return &o.Password }),
	setting.TLSGroup(),
	setting.Into(setting.Setting{Name: "requestTimeout", Default: "5s", Min: int64(time.Millisecond), Doc: "Bound on an operation whose caller gave none."},
		func(o *Options) *time.Duration { return &o.RequestTimeout }),
	setting.Into(setting.Setting{Name: "connectTimeout", Default: "10s", Min: forever,
		Check: notZero, Doc: "Bound on connecting, if whoever opens gave none; -1: none, opening waits for the cluster."},
		func(o *Options) *time.Duration { return &o.ConnectTimeout }),
	setting.StartTimeout(),
	setting.WhenDown(),
	setting.Into(setting.Setting{Name: "maxRecordBytes", Kind: setting.KindSize, Default: "4MiB", Min: 1 << 10, Max: 1 << 30,
		Doc: "Largest record that is stored; much larger ones hold up the other calls of the client."},
		func(o *Options) *int { return &o.MaxRecordBytes }),
}

var rules = []setting.Rule{setting.Requires("password", "user")}

// forever is how -1 is read.
const forever = -int64(time.Second)

func notZero(value any) error {
	if d := value.(time.Duration); d <= 0 && int64(d) != forever {
		return errors.New("must be positive, or -1 for no bound")
	}
	return nil
}

func init() {
	jcache.Register(driver.Definition{
		Name:     "hazelcast",
		Doc:      "Keeps caches in the maps of a Hazelcast cluster, 4 or 5.",
		URI:      "a Java client's hazelcast-client.xml or .yaml, or a member's hazelcast.xml or .yaml",
		Settings: settings,
		Rules:    rules,
		Check: func(cfg driver.Config) (notices []string, err error) {
			opts, err := optionsOf(cfg)
			plan, invalid := opts.planOf(cfg.Values)
			return plan.notices, errors.Join(err, invalid)
		},
		Resolve: func(cfg driver.Config) ([]setting.Resolved, error) {
			opts, err := optionsOf(cfg)
			if err != nil || opts.ClientFile == "" {
				return nil, err
			}
			file, err := opts.file()
			if err != nil {
				return nil, err
			}
			found := file.Found
			if file.ClusterName == "" {
				found = append(found, setting.Resolved{Name: "clusterName", Value: defaultClusterName, From: "Hazelcast's default"})
			}
			if len(file.Addresses) == 0 {
				found = append(found, setting.Resolved{Name: "servers", Value: []string{loopback}, From: "Hazelcast's default"})
			}
			return found, nil
		},
		Open: func(ctx context.Context, cfg driver.Config) (driver.Provider, error) {
			opts, err := optionsOf(cfg)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
			}
			return Connect(ctx, opts)
		},
	})
}

// optionsOf reads the settings; what the file behind uri may say stays zero if it was not
// given.
func optionsOf(cfg driver.Config) (opts Options, err error) {
	setting.Fill(settings, cfg.Values, &opts)
	opts.ClientFile = cfg.URI
	if !cfg.Values.Given("connectTimeout") {
		opts.ConnectTimeout = 0
	}
	opts.TLS, err = setting.TLSConfig(cfg.Values.Group("tls"))
	return opts, err
}
