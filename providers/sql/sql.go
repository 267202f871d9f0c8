package sql

import (
	"cmp"
	"context"
	"crypto/tls"
	stdsql "database/sql"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// Options configures the provider. Either URL or DB is required.
type Options struct {
	// URL is the address of the database: postgres://user:password@host/database,
	// mysql://user:password@host/database, or sqlite:file. What follows a question mark goes to
	// the client library. With a Dialect, it is what that library takes.
	URL string

	// DB is the application's own pool of connections, instead of URL. It stays open when the
	// provider is closed. Dialect is required with it, and the package of the dialect must be linked.
	// Transactions of the application do not concern the provider.
	DB *stdsql.DB

	// Dialect is postgres, mysql (MariaDB, too) or sqlite. Empty: as URL begins.
	Dialect string

	// User and Password are used instead of those of URL.
	User, Password string

	// TLS is the configuration for a database at a network's other end. Nil: as URL says.
	TLS *tls.Config

	// TableName is the table, with the name of its schema in front or without: letters,
	// digits and _. Deployments with different tables can share a database. Empty: keepsake.
	TableName string

	// CreateTables creates the table if it is missing. Otherwise a missing one is an error.
	CreateTables bool

	// Unlogged creates a table on PostgreSQL that is not written to its log: writes are faster,
	// nothing of it reaches a replica, and it is empty after a crash of the database.
	Unlogged bool

	// Unprepared leaves no prepared statement on a connection, for poolers such as pgbouncer in
	// transaction mode.
	Unprepared bool

	// RequestTimeout bounds how long an operation waits for the database, retries included. An
	// operation on a whole cache takes several of them. Zero: 5 s.
	RequestTimeout time.Duration

	// ConnectTimeout bounds how long it takes to connect. Zero: 2 s.
	ConnectTimeout time.Duration

	// MaxConnections is how many connections there are at most; operations beyond wait. SQLite
	// has one more, which writes. Zero: 16.
	MaxConnections int

	// MaxIdleConnections is how many of them are kept while they are not in use. Zero: all.
	MaxIdleConnections int

	// MaxConnectionAge is after how long a connection is replaced, so that a pooler or a balancer
	// can spread them anew. Zero: 30 min.
	MaxConnectionAge time.Duration

	// MaxRecordBytes is the largest record that is stored, at most 500 MiB. On MariaDB and MySQL
	// it is at most about half of max_allowed_packet. Zero: 16 MiB.
	MaxRecordBytes int

	// ReapInterval is how often one of the processes removes what is dead. Zero: 1 min.
	ReapInterval time.Duration

	// WatchInterval is how often the database is asked for changes by each watcher. Zero: 100 ms.
	WatchInterval time.Duration

	// Logger is told of a database that goes away and comes back. Nil: slog.Default.
	Logger *slog.Logger

	name string // of the database, for people
}

const (
	defaultTable            = "keepsake"
	defaultRequestTimeout   = 5 * time.Second
	defaultConnectTimeout   = 2 * time.Second
	defaultMaxConnections   = 16
	defaultMaxConnectionAge = 30 * time.Minute
	defaultMaxRecordBytes   = 16 << 20
	defaultReapInterval     = time.Minute
	defaultWatchInterval    = 100 * time.Millisecond
)

// Open connects to the database and returns a manager of caches in it. If the database does not
// answer, the error matches jcache.ErrUnavailable; if it cannot be used, because the table is missing,
// say, jcache.ErrMisconfigured. ctx bounds Open only.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "sql", Logger: opts.Logger})
}

var settings = []setting.Setting{
	setting.Into(setting.Setting{Name: "url", Required: true, Secret: true,
		Doc: "Address of the database: postgres://user@host/database, mysql://user@host/database, or sqlite:file; MariaDB is mysql."},
		func(o *Options) *string { return &o.URL }),
	setting.Into(setting.Setting{Name: "dialect", OneOf: []string{"postgres", "mysql", "sqlite"},
		Doc: "What kind of database it is, if url is in the form of its client library; otherwise url says it."},
		func(o *Options) *string { return &o.Dialect }),
	setting.Into(setting.Setting{Name: "user", Doc: "Name of the user, if url has none."},
		func(o *Options) *string { return &o.User }),
	setting.Into(setting.Setting{Name: "password", Secret: true, Doc: "Password of the user, if url has none."},
		func(o *Options) *string { return &o.Password }),
	setting.TLSGroup(),
	setting.Into(setting.Setting{Name: "tableName", Default: defaultTable, Check: func(v any) error { return checkTable(v.(string)) },
		Agree: func(v any) (string, string) { return v.(string), "the processes do not share their records" },
		Doc:   "The table, with the name of its schema in front or without: letters, digits and _"},
		func(o *Options) *string { return &o.TableName }),
	setting.Into(setting.Setting{Name: "createTables", Doc: "Whether to create the table if it is missing; keepsake sql-schema prints the statements."},
		func(o *Options) *bool { return &o.CreateTables }),
	setting.Into(setting.Setting{Name: "unlogged",
		Doc: "Whether the table is created UNLOGGED on PostgreSQL: faster to write, on no replica, and empty after a crash of the database."},
		func(o *Options) *bool { return &o.Unlogged }),
	setting.Into(setting.Setting{Name: "unprepared", Doc: "Whether no prepared statements are used, for poolers such as pgbouncer in transaction mode."},
		func(o *Options) *bool { return &o.Unprepared }),
	setting.Into(setting.Setting{Name: "requestTimeout", Default: "5s", Min: int64(time.Millisecond),
		Doc: "How long an operation waits for the database, retries included."},
		func(o *Options) *time.Duration { return &o.RequestTimeout }),
	setting.Into(setting.Setting{Name: "connectTimeout", Default: "2s", Min: int64(time.Millisecond),
		Doc: "How long it may take to connect, with TLS and authentication."},
		func(o *Options) *time.Duration { return &o.ConnectTimeout }),
	setting.StartTimeout(),
	setting.WhenDown(),
	setting.Into(setting.Setting{Name: "maxConnections", Default: "16", Min: 1, Max: 1 << 16,
		Doc: "Connections of this process; operations beyond wait. All processes together stay below the database's max_connections."},
		func(o *Options) *int { return &o.MaxConnections }),
	setting.Into(setting.Setting{Name: "maxIdleConnections", Min: 1, Max: 1 << 16, Doc: "Unused connections that are kept; all, if it is not given."},
		func(o *Options) *int { return &o.MaxIdleConnections }),
	setting.Into(setting.Setting{Name: "maxConnectionAge", Default: "30m", Min: int64(time.Second),
		Doc: "After how long a connection is replaced, so that a pooler or a balancer can spread them anew."},
		func(o *Options) *time.Duration { return &o.MaxConnectionAge }),
	setting.Into(setting.Setting{Name: "maxRecordBytes", Kind: setting.KindSize, Default: "16MiB", Min: 1 << 10, Max: 500 << 20,
		Doc: "Largest record that is stored; on MariaDB and MySQL at most about half of max_allowed_packet."},
		func(o *Options) *int { return &o.MaxRecordBytes }),
	setting.Into(setting.Setting{Name: "reapInterval", Default: "1m", Min: int64(time.Second),
		Doc: "How often one of the processes removes what is dead from the table."},
		func(o *Options) *time.Duration { return &o.ReapInterval }),
	setting.Into(setting.Setting{Name: "watchInterval", Default: "100ms", Min: int64(time.Millisecond),
		Doc: "How often the database is asked for changes while something of a cache is watched."},
		func(o *Options) *time.Duration { return &o.WatchInterval }),
}

var rules = []setting.Rule{setting.Requires("unlogged", "createTables").Because("the table is made so when it is created")}

func init() {
	jcache.Register(driver.Definition{
		Name:     "sql",
		Doc:      "Keeps caches in a table of PostgreSQL, MariaDB, MySQL or SQLite.",
		Settings: settings,
		Rules:    rules,
		Check: func(cfg driver.Config) (notices []string, err error) {
			opts, err := fromConfig(cfg)
			if err == nil {
				opts, err = opts.complete()
			}
			if err == nil {
				_, err = opts.connector(nil)
			}
			if err == nil && opts.Unlogged {
				notices = append(notices, "the table is empty after a crash of the database, and on no replica, because of unlogged")
			}
			return notices, err
		},
		Resolve: func(cfg driver.Config) ([]setting.Resolved, error) {
			opts, err := fromConfig(cfg)
			if err == nil {
				opts, err = opts.complete()
			}
			return []setting.Resolved{{Name: "database", Value: opts.name, From: "url, without the user"}}, err
		},
		Prepare: func(cfg driver.Config) (string, error) {
			v := cfg.Values
			return Schema(v.String("dialect"), v.String("tableName"), v.Bool("unlogged"))
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

func checkTable(name string) error {
	if !validTable.MatchString(name) {
		return errors.New("must be a name of up to 51 letters, digits and _, or two with a dot between them")
	}
	return nil
}

// complete returns the options with their defaults. The error joins all that is wrong with them.
func (o Options) complete() (Options, error) {
	checked := o
	if o.DB != nil {
		if o.URL != "" {
			return o, setting.Problemf("url", "is given beside DB; one of them is enough")
		}
		checked.URL = "of DB"
	}
	err := setting.Validate(settings, rules, setting.Of(settings, &checked))
	o.TableName = cmp.Or(o.TableName, defaultTable)
	o.RequestTimeout = cmp.Or(o.RequestTimeout, defaultRequestTimeout)
	o.ConnectTimeout = cmp.Or(o.ConnectTimeout, defaultConnectTimeout)
	o.MaxConnections = cmp.Or(o.MaxConnections, defaultMaxConnections)
	o.MaxIdleConnections = cmp.Or(o.MaxIdleConnections, o.MaxConnections)
	o.MaxConnectionAge = cmp.Or(o.MaxConnectionAge, defaultMaxConnectionAge)
	o.MaxRecordBytes = cmp.Or(o.MaxRecordBytes, defaultMaxRecordBytes)
	o.ReapInterval = cmp.Or(o.ReapInterval, defaultReapInterval)
	o.WatchInterval = cmp.Or(o.WatchInterval, defaultWatchInterval)
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	if err != nil {
		return o, err
	}
	return o.resolve()
}
