package memcached

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// Options configures the provider. Only Servers is required.
type Options struct {
	// Servers are the addresses of the servers, as host:port or host; the port
	// is 11211 if it is missing. Names are resolved each time a connection is
	// made. Every process that shares the caches must list the same servers
	// under the same names; the order does not matter.
	Servers []string

	// Prefix begins every key, so that deployments can share servers: 1 to 64
	// of the characters A–Z a–z 0–9 . _ - . Empty: keepsake.
	Prefix string

	// RequestTimeout bounds how long a server may keep silent during one
	// exchange. Zero: 1 s, which a healthy server misses by a factor of a
	// thousand and which leaves the network time to repeat a lost packet.
	RequestTimeout time.Duration

	// ConnectTimeout bounds how long it takes to connect: the handshakes of
	// TCP and TLS, authentication and the questions that every new connection
	// asks. Zero: 1 s.
	ConnectTimeout time.Duration

	// MaxConnections is how many connections there are to each server at most. A call
	// that finds all of them in use waits for one until its context ends. Zero: 64, so that
	// 15 processes stay below the servers' own limit, -c, which is 1024 by default. A server
	// that takes no more gets on with those that it has.
	MaxConnections int

	// MaxIdleConnections is how many connections to each server are kept while
	// they are not in use. Calls beyond it are served too, at the price of a
	// connection each. Zero: 128. It does not count above MaxConnections.
	MaxIdleConnections int

	// User and Password are for servers that demand them (memcached -Y). They
	// cross the network in clear unless TLS is on. Both or neither are given.
	User, Password string

	// TLS is the configuration for servers that speak TLS (memcached -Z). Nil:
	// no TLS. If its ServerName is empty, the address's host is used.
	TLS *tls.Config

	// Logger is told of servers that go away and come back. Nil: slog.Default.
	Logger *slog.Logger
}

const (
	defaultPrefix             = "keepsake"
	defaultRequestTimeout     = time.Second
	defaultConnectTimeout     = time.Second
	defaultMaxConnections     = 64
	defaultMaxIdleConnections = 128
)

// Open connects to the servers and returns a manager of caches on them. It
// succeeds if at least one server answers; the others' keys are unavailable until they
// answer. The log tells of each server that goes away or comes back.
//
// What makes a server unusable rather than unavailable, such as a wrong password, is
// an error whatever the other servers say. ctx bounds Open only.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "memcached", Logger: opts.Logger})
}

var settings = []setting.Setting{
	setting.Into(setting.Setting{Name: "servers", Required: true, Check: checkServers, Agree: agreedServers,
		Doc: "Addresses, host:port or host; the same for every process that shares the caches."},
		func(o *Options) *[]string { return &o.Servers }),
	setting.Into(setting.Setting{Name: "prefix", Default: defaultPrefix, Check: setting.CheckPrefix,
		Doc: "Begins every key, so that deployments can share servers: 1 to 64 of the characters A-Z a-z 0-9 . _ -"},
		func(o *Options) *string { return &o.Prefix }),
	setting.Into(setting.Setting{Name: "requestTimeout", Default: "1s", Min: int64(time.Millisecond),
		Doc: "How long a server may keep silent during one exchange."},
		func(o *Options) *time.Duration { return &o.RequestTimeout }),
	setting.Into(setting.Setting{Name: "connectTimeout", Default: "1s", Min: int64(time.Millisecond),
		Doc: "How long it may take to connect, with TLS and authentication."},
		func(o *Options) *time.Duration { return &o.ConnectTimeout }),
	setting.StartTimeout(),
	setting.WhenDown(),
	setting.Into(setting.Setting{Name: "maxConnections", Default: "64", Min: 1, Max: 1 << 20,
		Doc: "Connections to each server; calls beyond wait. All processes together stay below the server's -c, 1024 by default."},
		func(o *Options) *int { return &o.MaxConnections }),
	setting.Into(setting.Setting{Name: "maxIdleConnections", Default: "128", Min: 1, Max: 1 << 20,
		Doc: "Unused connections kept for each server, of those of maxConnections."},
		func(o *Options) *int { return &o.MaxIdleConnections }),
	setting.Into(setting.Setting{Name: "user", Check: checkCredential, Doc: "User name for servers that demand one (memcached -Y)."},
		func(o *Options) *string { return &o.User }),
	setting.Into(setting.Setting{Name: "password", Secret: true, Check: checkCredential, Doc: "Password of user; sent in clear unless tls is given."},
		func(o *Options) *string { return &o.Password }),
	setting.TLSGroup(),
}

var rules = []setting.Rule{setting.Together("user", "password")}

func init() {
	jcache.Register(driver.Definition{
		Name:     "memcached",
		Doc:      "Keeps caches on memcached servers, shared by all processes that list the same servers.",
		Settings: settings,
		Rules:    rules,
		Check: func(cfg driver.Config) (notices []string, err error) {
			opts, err := fromConfig(cfg)
			err = errors.Join(setting.Validate(settings, rules, cfg.Values), err)
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

func checkCredential(value any) error {
	if strings.ContainsAny(value.(string), " \t\r\n") {
		return errors.New("has white space, which memcached takes for an end")
	}
	return nil
}

// complete returns the options with their defaults, and the servers' addresses. The
// error joins all that is wrong with them.
func (o Options) complete() (Options, []address, error) {
	err := setting.Validate(settings, rules, setting.Of(settings, &o))
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = defaultConnectTimeout
	}
	if o.MaxConnections == 0 {
		o.MaxConnections = defaultMaxConnections
	}
	if o.MaxIdleConnections == 0 {
		o.MaxIdleConnections = defaultMaxIdleConnections
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if err != nil {
		return o, nil, err
	}
	addresses, err := parseServers(o.Servers)
	return o, addresses, err
}
