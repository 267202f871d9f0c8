package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A Provider is connected to a database until it is closed.
type Provider struct {
	opts       Options
	driver     Driver
	statements *statements
	// reads and writes are the same pool, unless only one connection can write.
	reads, writes *stdsql.DB
	network       network
	clock         clock
	gauge         gauge
	largest       int  // bytes of a statement; 0: any
	watchable     bool // the database notes changes while somebody watches
	watchLease    time.Duration

	calls gate
	life  context.Context
	end   context.CancelFunc
	tasks sync.WaitGroup // that run until life ends, or on their own for a moment
}

// Connect returns the bare driver, for tests and for managers with other options
// than Open gives them.
func Connect(ctx context.Context, opts Options) (*Provider, error) {
	opts, err := opts.complete()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	p := &Provider{
		opts:       opts,
		statements: dialects[opts.Dialect].statements(opts.TableName),
		network:    network{timeout: opts.ConnectTimeout},
		watchLease: usualLease,
	}
	p.gauge.log = opts.Logger
	p.gauge.name = opts.name
	p.driver, _ = driverOf(opts.Dialect)
	if err := p.pools(); err != nil {
		return nil, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	p.life, p.end = context.WithCancel(context.Background())
	if err := p.start(ctx); err != nil {
		_ = p.Close(ctx) // err says what is wrong
		if errors.Is(err, errCertificate) || errors.Is(err, errNoTLS) {
			err = fmt.Errorf("%w: %w", driver.ErrMisconfigured, err) // it does not help to wait
		}
		return nil, err
	}
	p.watch()
	p.reap()
	return p, nil
}

// pools makes the pools of connections. They connect when they are used.
func (p *Provider) pools() error {
	if p.opts.DB != nil {
		p.reads, p.writes = p.opts.DB, p.opts.DB
		return nil
	}
	connector, err := p.opts.connector(p.network.dial)
	if err != nil {
		return err
	}
	open := func(most int) *stdsql.DB {
		db := stdsql.OpenDB(connector)
		db.SetMaxOpenConns(most)
		db.SetMaxIdleConns(min(most, p.opts.MaxIdleConnections))
		db.SetConnMaxLifetime(p.opts.MaxConnectionAge)
		return db
	}
	p.reads = open(p.opts.MaxConnections)
	p.writes = p.reads
	if p.statements.oneWriter {
		p.writes = open(1)
	}
	return nil
}

// start finds out whether the database can be used.
func (p *Provider) start(ctx context.Context) error {
	if err := p.prepare(ctx); err != nil {
		return err
	}
	if err := p.compareClocks(ctx); err != nil {
		return err
	}
	if p.statements.largest == "" {
		return nil
	}
	return p.read(ctx, func(ctx context.Context, c *stdsql.Conn) error {
		return c.QueryRowContext(ctx, p.statements.largest).Scan(&p.largest)
	})
}

// maxKeyBytes is what every database takes in an index, beside the name of a cache.
const maxKeyBytes = 2048

// OpenCache implements driver.Provider. It asks the database nothing.
func (p *Provider) OpenCache(_ context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	most := p.opts.MaxRecordBytes
	if p.largest > 0 {
		most = min(most, p.largest/2-4*maxKeyBytes) // an argument in a text is up to twice as long
	}
	c := &cache{
		provider: p,
		name:     name,
		buckets:  bucketsFor(opts),
		info: driver.Info{
			MaxKeyBytes:    maxKeyBytes,
			MaxRecordBytes: most,
			RequestTimeout: p.opts.RequestTimeout,
			Shared:         true,
		},
	}
	if p.watchable {
		return &watchable{c}, nil
	}
	return c, nil
}

// Ping implements driver.Provider. It looks whether the table is there.
func (p *Provider) Ping(ctx context.Context) error {
	present, _, err := p.tablesPresent(ctx)
	if err == nil && !present {
		err = p.named(ctx, fmt.Errorf("%w: %s", driver.ErrMisconfigured, noTable))
	}
	return err
}

// Close implements driver.Provider. It waits for the calls that are running; each of them ends with
// its context, or after RequestTimeout. A pool that the application gave stays open.
func (p *Provider) Close(ctx context.Context) error {
	closed := make(chan struct{})
	go func() {
		p.end()
		left := p.calls.close()
		p.tasks.Wait()
		<-left
		p.closePools()
		close(closed)
	}()
	grace := time.AfterFunc(closeGrace, p.network.close)
	defer grace.Stop()
	select {
	case <-closed:
		p.network.close()
		return nil
	case <-ctx.Done():
		p.network.close()
		return fmt.Errorf("calls are still running: %w", ctx.Err())
	}
}

// closeGrace is how long a database has for its part in the end of a connection.
const closeGrace = 2 * time.Second

// closePools closes the connections. What a database says to that concerns nobody.
func (p *Provider) closePools() {
	if p.opts.DB != nil {
		return
	}
	_ = p.reads.Close()
	_ = p.writes.Close()
}
