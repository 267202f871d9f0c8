package gocache

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/eko/gocache/lib/v4/store"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// Options configures a provider on a store. Store and SingleProcess are required.
type Options struct {
	// Store is any store of gocache. It stays the caller's, unless Close is given.
	Store store.StoreInterface

	// SingleProcess says that no other process, and no other provider of this one, uses the same keys
	// of the store. It must be true, since operations are atomic within one provider only.
	SingleProcess bool

	// Prefix begins every key: 1 to 64 of the characters A–Z a–z 0–9 . _ - . Empty: keepsake.
	Prefix string

	// InProcess says that the store never waits for a network or a disk. Its calls are then
	// carried out on the caller's goroutine.
	InProcess bool

	// RequestTimeout bounds an operation whose context has no deadline. Zero: 1 s. It has no
	// meaning with InProcess.
	RequestTimeout time.Duration

	// MaxRecordBytes is the largest record that the store takes. Zero: there is no limit.
	MaxRecordBytes int

	// Expiration returns what the store is told, with store.WithExpiration, of a record that it must keep
	// for so long: whole seconds, at least two. Nil: the same.
	Expiration func(keep time.Duration) time.Duration

	// Explain says what an error of the store means: the result wraps store.NotFound for an absent key, or a
	// sentinel of package driver, and shows no key and no value. Nil, or a result of nil: it is not
	// known. A read has then found the provider unavailable and a write has an unknown outcome, and only the
	// type of the error is shown. What gocache's own stores say of absent keys is known.
	Explain func(err error) error

	// Close is called when the provider is closed and no call is under way. Nil: there is nothing to do.
	Close func() error

	// Logger is the manager's. Nil: slog.Default.
	Logger *slog.Logger
}

const (
	defaultPrefix         = "keepsake"
	defaultRequestTimeout = time.Second
)

// Open returns a manager of caches in the store, which it has tried. ctx bounds Open only.
func Open(ctx context.Context, opts Options) (*jcache.CacheManager, error) {
	p, err := Connect(ctx, opts)
	if err != nil {
		return nil, err
	}
	return jcache.NewManager(p, jcache.ManagerOptions{Provider: "gocache", Logger: opts.Logger})
}

var errShared = errors.New("operations that decide by what is there are atomic within one process only; " +
	"say singleProcess: true if there is no other one, or use the provider memcached or redis")

// complete returns the options with their defaults. The error joins all that is wrong with them.
func (o Options) complete() (Options, error) {
	var errs []error
	wrong := func(name string, err error) {
		if err != nil {
			errs = append(errs, &setting.Problem{Path: name, Reason: err.Error(), Err: err})
		}
	}
	o.Prefix = cmp.Or(o.Prefix, defaultPrefix)
	wrong("prefix", setting.CheckPrefix(o.Prefix))
	if o.Store == nil {
		wrong("store", errors.New("is required"))
	}
	if !o.SingleProcess {
		wrong("singleProcess", errShared)
	}
	if o.RequestTimeout < 0 || o.MaxRecordBytes < 0 {
		wrong("", errors.New("RequestTimeout and MaxRecordBytes are not negative"))
	}
	if o.InProcess {
		o.RequestTimeout = 0
	} else {
		o.RequestTimeout = cmp.Or(o.RequestTimeout, defaultRequestTimeout)
	}
	if err := errors.Join(errs...); err != nil {
		return o, fmt.Errorf("%w: %w", jcache.ErrInvalid, err)
	}
	return o, nil
}
