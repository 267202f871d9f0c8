package hazelcast

import (
	"context"
	"crypto/tls"
	_ "embed" // for MemberConfig
	"fmt"
	"log/slog"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
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
	// hazelcast-client.yaml. The other options override what it says.
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
	// seconds.
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
// lets the client in before the context ends, the error matches
// jcache.ErrUnavailable.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "hazelcast"})
}

func init() {
	jcache.Register(driver.Definition{
		Name: "hazelcast",
		Doc:  "Keeps caches in the maps of a Hazelcast cluster, 4 or 5.",
		URI:  "a Java client's hazelcast-client.xml or .yaml",
		Settings: []driver.Setting{
			{Name: "servers", Kind: driver.KindList,
				Doc: "Addresses of members, host:port, to begin with; without a port 5701 to 5703 are tried. Required without a uri."},
			{Name: "clusterName", Doc: "Name of the cluster, the same as the members'; dev if neither it nor the file says otherwise."},
			{Name: "mapPrefix", Default: defaultMapPrefix, Doc: "What is put before a cache's name to make the name of its map."},
			{Name: "user", Doc: "Name of the client's identity, if the members ask for one."},
			{Name: "password", Secret: true, Doc: "Password of user."},
			driver.TLSSetting(),
			{Name: "requestTimeout", Kind: driver.KindDuration, Default: "5s", Min: int64(100 * time.Millisecond),
				Doc: "Bound on an operation whose caller gave none."},
			{Name: "connectTimeout", Kind: driver.KindDuration, Default: "10s", Min: int64(100 * time.Millisecond),
				Doc: "Bound on connecting, if whoever opens gave none."},
			{Name: "maxRecordBytes", Kind: driver.KindSize, Default: "4MiB", Min: 1 << 10, Max: 1 << 30,
				Doc: "Largest record that is stored; much larger ones hold up the other calls of the client."},
		},
		Check: check,
		Open: func(ctx context.Context, cfg driver.Config) (driver.Provider, error) {
			opts, err := optionsOf(cfg)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
			}
			return Connect(ctx, opts)
		},
	})
}

// optionsOf reads the settings; those that were not given stay zero, so that the
// file behind uri can speak.
func optionsOf(cfg driver.Config) (Options, error) {
	v := cfg.Values
	config, err := driver.TLSConfig(v.Group("tls"))
	if err != nil {
		return Options{}, err
	}
	opts := Options{
		ClientFile:  cfg.URI,
		Servers:     v.List("servers"),
		ClusterName: v.String("clusterName"),
		MapPrefix:   v.String("mapPrefix"),
		User:        v.String("user"),
		Password:    v.String("password"),
		TLS:         config,

		MaxRecordBytes: int(v.Int("maxRecordBytes")),
	}
	if v.Given("requestTimeout") {
		opts.RequestTimeout = v.Duration("requestTimeout")
	}
	if v.Given("connectTimeout") {
		opts.ConnectTimeout = v.Duration("connectTimeout")
	}
	return opts, nil
}

// check implements driver.Definition.Check.
func check(cfg driver.Config) (notices []string, err error) {
	opts, err := optionsOf(cfg)
	if err != nil {
		return nil, err
	}
	plan, err := opts.plan()
	return plan.notices, err
}
