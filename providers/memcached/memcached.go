package memcached

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
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

	// MaxIdleConnections is how many connections to each server are kept while
	// they are not in use. Calls beyond it are served too, at the price of a
	// connection each. Zero: 128. All application servers together should stay
	// below the servers' own limit, -c, which is 1024 by default.
	MaxIdleConnections int

	// User and Password are for servers that demand them (memcached -Y). They
	// cross the network in clear unless TLS is on. Both or neither are given.
	User, Password string

	// TLS is the configuration for servers that speak TLS (memcached -Z). Nil:
	// no TLS. If its ServerName is empty, the address's host is used.
	TLS *tls.Config

	// Logger is told of servers that do not answer when the provider is opened.
	// Nil: slog.Default.
	Logger *slog.Logger
}

const (
	defaultPrefix             = "keepsake"
	defaultRequestTimeout     = time.Second
	defaultConnectTimeout     = time.Second
	defaultMaxIdleConnections = 128
)

// Open connects to the servers and returns a manager of caches on them. It
// succeeds if at least one server answers; the others are logged, and their keys
// are unavailable until they answer.
//
// What makes a server unusable rather than unavailable, such as a wrong password, is
// an error whatever the other servers say. ctx bounds Open only.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "memcached"})
}

func init() {
	jcache.Register(driver.Definition{
		Name: "memcached",
		Doc:  "Keeps caches on memcached servers, shared by all processes that list the same servers.",
		Settings: []driver.Setting{
			{Name: "servers", Kind: driver.KindList, Required: true,
				Doc: "Addresses, host:port or host; the same for every process that shares the caches."},
			{Name: "prefix", Default: defaultPrefix, Doc: "Begins every key, so that deployments can share servers."},
			{Name: "requestTimeout", Kind: driver.KindDuration, Default: "1s", Min: int64(time.Millisecond),
				Doc: "How long a server may keep silent during one exchange."},
			{Name: "connectTimeout", Kind: driver.KindDuration, Default: "1s", Min: int64(time.Millisecond),
				Doc: "How long it may take to connect, with TLS and authentication."},
			{Name: "maxIdleConnections", Kind: driver.KindInt, Default: "128", Min: 1,
				Doc: "Unused connections kept for each server; at least as many as calls at once."},
			{Name: "user", Doc: "User name for servers that demand one (memcached -Y)."},
			{Name: "password", Secret: true, Doc: "Password of user; sent in clear unless tls is given."},
			driver.TLSSetting(),
		},
		Check: func(cfg driver.Config) (notices []string, err error) {
			opts, err := fromConfig(cfg)
			if err == nil {
				_, _, err = opts.complete()
			}
			if err == nil && opts.Password != "" && opts.TLS == nil {
				notices = append(notices, "the password crosses the network in clear; give tls to encrypt it")
			}
			return notices, err
		},
		Open: func(ctx context.Context, cfg driver.Config) (driver.Provider, error) {
			opts, err := fromConfig(cfg)
			if err != nil {
				return nil, err
			}
			return Connect(ctx, opts)
		},
	})
}

func fromConfig(cfg driver.Config) (Options, error) {
	v := cfg.Values
	config, err := driver.TLSConfig(v.Group("tls"))
	return Options{
		Servers:            v.List("servers"),
		Prefix:             v.String("prefix"),
		RequestTimeout:     v.Duration("requestTimeout"),
		ConnectTimeout:     v.Duration("connectTimeout"),
		MaxIdleConnections: int(v.Int("maxIdleConnections")),
		User:               v.String("user"),
		Password:           v.String("password"),
		TLS:                config,
	}, err
}

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// complete returns the options with their defaults, and the servers' addresses. The
// error lists all that is wrong with them.
func (o Options) complete() (Options, []address, error) {
	if o.Prefix == "" {
		o.Prefix = defaultPrefix
	}
	if o.RequestTimeout == 0 {
		o.RequestTimeout = defaultRequestTimeout
	}
	if o.ConnectTimeout == 0 {
		o.ConnectTimeout = defaultConnectTimeout
	}
	if o.MaxIdleConnections == 0 {
		o.MaxIdleConnections = defaultMaxIdleConnections
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	addresses, errs := parseServers(o.Servers)
	if !validPrefix.MatchString(o.Prefix) {
		errs = append(errs, errors.New("prefix: must be 1 to 64 of the characters A-Z a-z 0-9 . _ -"))
	}
	if o.RequestTimeout < 0 || o.ConnectTimeout < 0 {
		errs = append(errs, errors.New("requestTimeout and connectTimeout: must not be negative"))
	}
	if o.MaxIdleConnections < 0 {
		errs = append(errs, errors.New("maxIdleConnections: must not be negative"))
	}
	if (o.User == "") != (o.Password == "") {
		errs = append(errs, errors.New("user and password: go together; one of them is missing"))
	}
	if strings.ContainsAny(o.User+o.Password, " \t\r\n") {
		errs = append(errs, errors.New("user and password: memcached takes none with white space"))
	}
	if len(errs) > 0 {
		return o, nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, errors.Join(errs...))
	}
	return o, addresses, nil
}
