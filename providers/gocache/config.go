package gocache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A StoreConfig is what a configuration file says about a store, complete with the defaults.
type StoreConfig struct {
	// Servers are the addresses as they were given.
	Servers        []string
	User, Password string
	Database       int
	// TLS is nil where none is asked for.
	TLS            *tls.Config
	RequestTimeout time.Duration
	ConnectTimeout time.Duration
	// MaxBytes bounds the memory of a store in this process.
	MaxBytes       int64
	MaxRecordBytes int64

	kind          string
	prefix        string
	singleProcess bool
}

// A StoreType makes the stores of one name. Packages bigcache, redis and memcache below this one
// register theirs when they are linked, so that a program has only the clients that it needs.
type StoreType struct {
	// Name is one of bigcache, redis and memcache.
	Name string
	// New makes a store and says how it is used; the prefix and SingleProcess are set by the caller. It
	// connects to nothing. Its error is about the settings.
	New func(cfg StoreConfig) (Options, error)
}

var storeTypes struct {
	sync.RWMutex
	of map[string]StoreType
}

// RegisterStore makes a type of stores known. It is called when packages are initialised.
func RegisterStore(s StoreType) {
	storeTypes.Lock()
	defer storeTypes.Unlock()
	if s.Name == "" || s.New == nil {
		panic("gocache: a type of stores needs a name and a function")
	}
	if storeTypes.of == nil {
		storeTypes.of = make(map[string]StoreType)
	}
	storeTypes.of[s.Name] = s
}

func storeType(name string) (StoreType, error) {
	storeTypes.RLock()
	defer storeTypes.RUnlock()
	s, ok := storeTypes.of[name]
	if !ok {
		return s, setting.Problemf("store", "the program does not link stores of the type %s; it needs to import providers/gocache/%s", name, name)
	}
	return s, nil
}

var settings = []setting.Setting{
	setting.Into(setting.Setting{Name: "store", Required: true, OneOf: []string{"bigcache", "memcache", "redis"},
		Doc: "The type of the store: in the memory of this process, or on servers."},
		func(c *StoreConfig) *string { return &c.kind }),
	setting.Into(setting.Setting{Name: "singleProcess",
		Doc: "Says that one process alone uses these caches. It must be true, since operations are atomic within one process only."},
		func(c *StoreConfig) *bool { return &c.singleProcess }),
	setting.Into(setting.Setting{Name: "servers", Doc: "Addresses of the servers, host:port or host; several for redis are a cluster."},
		func(c *StoreConfig) *[]string { return &c.Servers }),
	setting.Into(setting.Setting{Name: "prefix", Default: defaultPrefix, Check: setting.CheckPrefix,
		Doc: "Begins every key, so that the store can hold other things, too: 1 to 64 of the characters A-Z a-z 0-9 . _ -"},
		func(c *StoreConfig) *string { return &c.prefix }),
	setting.Into(setting.Setting{Name: "database", Max: 1 << 20, Doc: "Number of the server's database."},
		func(c *StoreConfig) *int { return &c.Database }),
	setting.Into(setting.Setting{Name: "user", Doc: "Name of the user, for servers that demand one."},
		func(c *StoreConfig) *string { return &c.User }),
	setting.Into(setting.Setting{Name: "password", Secret: true, Doc: "Password of the server; sent in clear unless tls is given."},
		func(c *StoreConfig) *string { return &c.Password }),
	setting.TLSGroup(),
	setting.Into(setting.Setting{Name: "requestTimeout", Default: "1s", Min: int64(time.Millisecond), Doc: "How long a server may keep silent during one exchange."},
		func(c *StoreConfig) *time.Duration { return &c.RequestTimeout }),
	setting.Into(setting.Setting{Name: "connectTimeout", Default: "1s", Min: int64(time.Millisecond), Doc: "How long it may take to connect."},
		func(c *StoreConfig) *time.Duration { return &c.ConnectTimeout }),
	setting.StartTimeout(),
	setting.WhenDown(),
	setting.Into(setting.Setting{Name: "maxBytes", Kind: setting.KindSize, Default: "64MiB", Min: 1 << 20, Max: 1 << 40,
		Doc: "Memory of a bigcache, which drops what came first when it is full; whole MiB."},
		func(c *StoreConfig) *int64 { return &c.MaxBytes }),
	setting.Into(setting.Setting{Name: "maxRecordBytes", Kind: setting.KindSize, Default: "1047552", Min: 1 << 10, Max: 500 << 20,
		Doc: "Largest record that is stored on a server; for memcache it is what the server's -I allows less 1 KiB."},
		func(c *StoreConfig) *int64 { return &c.MaxRecordBytes }),
}

var rules = []setting.Rule{
	setting.RequiredWith("singleProcess", "store", "bigcache").Because("a bigcache is of one process"),
	setting.RequiredWith("singleProcess", "store", "memcache").Because("operations are atomic within one process only; for more there is the provider memcached"),
	setting.RequiredWith("singleProcess", "store", "redis").Because("operations are atomic within one process only; for more there is the provider redis"),
	setting.RequiredWith("servers", "store", "memcache"),
	setting.RequiredWith("servers", "store", "redis"),
	setting.OnlyWith("database", "store", "redis"),
	setting.OnlyWith("user", "store", "redis"),
	setting.OnlyWith("password", "store", "redis"),
	setting.OnlyWith("tls", "store", "redis"),
	setting.Requires("user", "password"),
}

func init() {
	jcache.Register(driver.Definition{
		Name:     "gocache",
		Doc:      "Keeps caches in a store of eko/gocache: bigcache, memcache or redis, for one process.",
		Settings: settings,
		Rules:    rules,
		Check: func(cfg driver.Config) (notices []string, err error) {
			opts, password, err := fromConfig(cfg)
			if err != nil {
				return nil, err
			}
			if password {
				notices = append(notices, "the password crosses the network in clear; give tls to encrypt it")
			}
			if opts.Close != nil {
				err = opts.Close()
			}
			return notices, err
		},
		Open: func(ctx context.Context, cfg driver.Config) (driver.Provider, error) {
			opts, _, err := fromConfig(cfg)
			if err != nil {
				return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
			}
			return Connect(ctx, opts)
		},
	})
}

// fromConfig makes the store, which connects to nothing. clear says that a password would be sent in clear.
func fromConfig(cfg driver.Config) (opts Options, clear bool, err error) {
	var c StoreConfig
	setting.Fill(settings, cfg.Values, &c)
	c.TLS, err = setting.TLSConfig(cfg.Values.Group("tls"))
	if err := errors.Join(setting.Validate(settings, rules, cfg.Values), err); err != nil {
		return opts, false, err
	}
	t, err := storeType(c.kind)
	if err != nil {
		return opts, false, err
	}
	if opts, err = t.New(c); err != nil {
		return opts, false, err
	}
	opts.SingleProcess, opts.Prefix = c.singleProcess, c.prefix
	if !opts.InProcess {
		opts.RequestTimeout = c.RequestTimeout
	}
	return opts, c.Password != "" && c.TLS == nil, nil
}
