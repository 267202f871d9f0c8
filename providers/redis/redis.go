package redis

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// Options configures the provider. Only Servers is required.
type Options struct {
	// Servers is the address of the server, or of some servers of a cluster, or of the Sentinels if
	// MasterName is given: host:port, host, or unix:/path of a socket. The port is 6379 if it
	// is missing, or 26379. Names are resolved each time a connection is made.
	Servers []string

	// MasterName is what the Sentinels call the primary that they watch. Empty: Servers are no
	// Sentinels.
	MasterName string

	// SentinelUser and SentinelPassword are for Sentinels that demand them.
	SentinelUser, SentinelPassword string

	// Replicas is how many replicas must have a write before it is acknowledged. If fewer have it
	// after RequestTimeout, the write is carried out all the same, and its error matches
	// driver.ErrIndeterminate. Zero: the primary alone acknowledges, and what it has acknowledged
	// is lost if it fails before a replica has it. If a primary has more replicas than that, one
	// may take its place that does not have the write.
	Replicas int

	// Prefix begins every key, so that deployments can share a server: 1 to 64 of the
	// characters A–Z a–z 0–9 . _ - . Empty: keepsake.
	Prefix string

	// Database is the number of the server's database.
	Database int

	// User and Password are for servers that demand them. A password without a user is that of
	// the user default. They cross the network in clear unless TLS is on.
	User, Password string

	// TLS is the configuration for servers that speak TLS. Nil: no TLS. If its ServerName
	// is empty, the address's host is used.
	TLS *tls.Config

	// RequestTimeout bounds how long the server may keep silent during one exchange. Zero: 1 s.
	RequestTimeout time.Duration

	// ConnectTimeout bounds how long it takes to connect: the handshakes of TCP and TLS,
	// and authentication. Zero: 1 s.
	ConnectTimeout time.Duration

	// MaxRecordBytes is the largest record that is stored, at most 500 MiB. Zero: 16 MiB. Other
	// calls wait while a large record is on its way on their connection.
	MaxRecordBytes int

	// Logger is told of a server that goes away and comes back. Nil: slog.Default.
	Logger *slog.Logger
}

const (
	defaultPrefix         = "keepsake"
	defaultRequestTimeout = time.Second
	defaultConnectTimeout = time.Second
	defaultMaxRecordBytes = 16 << 20
)

// Open connects to the server and returns a manager of caches on it. If the server does
// not answer, the error matches jcache.ErrUnavailable; if it cannot be used, because it refuses the
// password, say, jcache.ErrMisconfigured. ctx bounds Open only.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "redis", Logger: opts.Logger})
}

var settings = []setting.Setting{
	setting.Into(setting.Setting{Name: "servers", Required: true, Check: checkServers,
		Doc: "Address of the server, of some servers of a cluster, or of the Sentinels: host:port, host, or unix:/path of a socket."},
		func(o *Options) *[]string { return &o.Servers }),
	setting.Into(setting.Setting{Name: "masterName", Doc: "What the Sentinels call the primary that they watch; empty: the servers are no Sentinels."},
		func(o *Options) *string { return &o.MasterName }),
	setting.Into(setting.Setting{Name: "sentinelUser", Doc: "Name of the user, for Sentinels that demand one."},
		func(o *Options) *string { return &o.SentinelUser }),
	setting.Into(setting.Setting{Name: "sentinelPassword", Secret: true, Doc: "Password of sentinelUser."},
		func(o *Options) *string { return &o.SentinelPassword }),
	setting.Choice(setting.Setting{Name: "durability", Default: "none",
		Doc: "Who must have a write before it is acknowledged: the primary alone (none), or that many replicas, too."},
		func(o *Options) *int { return &o.Replicas }, durabilities),
	setting.Into(setting.Setting{Name: "prefix", Default: defaultPrefix, Check: setting.CheckPrefix,
		Doc: "Begins every key, so that deployments can share a server: 1 to 64 of the characters A-Z a-z 0-9 . _ -"},
		func(o *Options) *string { return &o.Prefix }),
	setting.Into(setting.Setting{Name: "database", Max: 1 << 20, Doc: "Number of the server's database; the same for every process that shares the caches."},
		func(o *Options) *int { return &o.Database }),
	setting.Into(setting.Setting{Name: "user", Doc: "Name of the user, for servers that demand one; default if there is only a password."},
		func(o *Options) *string { return &o.User }),
	setting.Into(setting.Setting{Name: "password", Secret: true, Doc: "Password of user; sent in clear unless tls is given."},
		func(o *Options) *string { return &o.Password }),
	setting.TLSGroup(),
	setting.Into(setting.Setting{Name: "requestTimeout", Default: "1s", Min: int64(time.Millisecond),
		Doc: "How long the server may keep silent during one exchange."},
		func(o *Options) *time.Duration { return &o.RequestTimeout }),
	setting.Into(setting.Setting{Name: "connectTimeout", Default: "1s", Min: int64(time.Millisecond),
		Doc: "How long it may take to connect, with TLS and authentication."},
		func(o *Options) *time.Duration { return &o.ConnectTimeout }),
	setting.StartTimeout(),
	setting.WhenDown(),
	setting.Into(setting.Setting{Name: "maxRecordBytes", Kind: setting.KindSize, Default: "16MiB", Min: 1 << 10, Max: 500 << 20,
		Doc: "Largest record that is stored; other calls wait while a large one is on its way."},
		func(o *Options) *int { return &o.MaxRecordBytes }),
}

// durabilities are the words for a number of replicas.
var durabilities = map[string]int{"none": 0, "wait1": 1, "wait2": 2, "wait3": 3, "wait4": 4, "wait5": 5}

var rules = []setting.Rule{
	setting.Requires("user", "password"),
	setting.Requires("sentinelUser", "sentinelPassword"),
	setting.Requires("sentinelPassword", "masterName"),
}

func init() {
	jcache.Register(driver.Definition{
		Name:     "redis",
		Doc:      "Keeps caches on a Redis or Valkey server, on a primary that Sentinels watch, or on a cluster.",
		Settings: settings,
		Rules:    rules,
		Check: func(cfg driver.Config) (notices []string, err error) {
			opts, err := fromConfig(cfg)
			if err == nil {
				_, err = opts.complete()
			}
			if err == nil && opts.Password+opts.SentinelPassword != "" && opts.TLS == nil {
				notices = append(notices, "the password crosses the network in clear; give tls to encrypt it")
			}
			return notices, err
		},
		Open: func(ctx context.Context, cfg driver.Config) (driver.Provider, error) {
			opts, err := fromConfig(cfg)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
			}
			return Connect(ctx, opts)
		},
	})
}

func fromConfig(cfg driver.Config) (opts Options, err error) {
	setting.Fill(settings, cfg.Values, &opts)
	opts.TLS, err = setting.TLSConfig(cfg.Values.Group("tls"))
	return opts, err
}

// complete returns the options with their defaults and normal addresses. The error joins all
// that is wrong with them.
func (o Options) complete() (Options, error) {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = defaultConnectTimeout
	}
	if o.MaxRecordBytes == 0 {
		o.MaxRecordBytes = defaultMaxRecordBytes
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if err := setting.Validate(settings, rules, setting.Of(settings, &o)); err != nil {
		return o, err
	}
	port := defaultPort
	if o.MasterName != "" {
		port = sentinelPort
	}
	addresses, err := parseServers(o.Servers, port)
	if err == nil && o.Database != 0 && len(addresses) > 1 && o.MasterName == "" {
		err = setting.Problemf("database", "several servers without masterName are a cluster, which has no database but 0")
	}
	o.Servers = addresses
	return o, err
}
