package redis

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// Options configures the provider. Only Servers is required.
type Options struct {
	// Servers is the address of the server, as host:port, host, or unix:/path of its socket; the
	// port is 6379 if it is missing. The name is resolved each time a connection is made.
	Servers []string

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
		Doc: "Address of the server, host:port, host, or unix:/path of its socket."},
		func(o *Options) *[]string { return &o.Servers }),
	setting.Into(setting.Setting{Name: "prefix", Default: defaultPrefix, Check: checkPrefix,
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
	setting.Into(setting.Setting{Name: "maxRecordBytes", Kind: setting.KindSize, Default: "16MiB", Min: 1 << 10, Max: 500 << 20,
		Doc: "Largest record that is stored; other calls wait while a large one is on its way."},
		func(o *Options) *int { return &o.MaxRecordBytes }),
}

var rules = []setting.Rule{setting.Requires("user", "password")}

func init() {
	jcache.Register(driver.Definition{
		Name:     "redis",
		Doc:      "Keeps caches on a Redis or Valkey server.",
		Settings: settings,
		Rules:    rules,
		Check: func(cfg driver.Config) (notices []string, err error) {
			opts, err := fromConfig(cfg)
			if err == nil {
				_, err = opts.complete()
			}
			if err == nil && opts.Password != "" && opts.TLS == nil {
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

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

func checkPrefix(value any) error {
	if !validPrefix.MatchString(value.(string)) {
		return errors.New("must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
	}
	return nil
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
	addresses, err := parseServers(o.Servers)
	if err == nil && len(addresses) > 1 {
		err = setting.Problemf("servers", "%d addresses are given, and all records are on one server", len(addresses))
	}
	o.Servers = addresses
	return o, err
}
