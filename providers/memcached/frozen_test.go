package memcached_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// frozen is a server that can be frozen, and calls of it.
type frozen struct {
	server   *servers.Process
	provider *memcached.Provider
	cache    driver.Cache
	present  driver.Token // of the key present
}

// frozenTimeout is the RequestTimeout and the ConnectTimeout of a frozen.
const frozenTimeout = 2 * time.Second

func newFrozen(t *testing.T) *frozen {
	f := &frozen{server: servertest.Memcached(t)}
	f.provider = connect(t, memcached.Options{Servers: addrs(f.server), RequestTimeout: frozenTimeout, ConnectTimeout: frozenTimeout})
	return f
}

// during calls do while the server is frozen. It takes limit and not much more.
//
// A write on a lease that has ended asks for the generation first, and is never sent.
// So do is called again if the machine is so busy that the lease may have ended. Where it always is, nothing
// is said, but of a call that takes long.
func (f *frozen) during(t *testing.T, limit time.Duration, do func() error) error {
	t.Helper()
	const slack = generationLease / 2
	least := patience
	for begin := time.Now(); time.Since(begin) < patience; {
		f.cache = openCache(t, f.provider, "frozen")
		warm(t, f.cache, f.server.Addr, 4)
		f.cache = openCache(t, f.provider, "frozen")
		leased := time.Now()
		put(t, f.cache, "present", "x")
		item, _ := get(t, f.cache, "present")
		f.present = item.Token
		freeze(t, f.server)
		busy := time.Since(leased) > slack
		start := time.Now()
		err := do()
		took := time.Since(start)
		thaw(t, f.server)
		eventually(t, "the server answers", func() bool { return f.provider.Ping(t.Context()) == nil })
		if !busy && took < limit+slack {
			return err
		}
		least = min(least, took)
	}
	if least > limit+10*time.Second {
		t.Fatalf("a call of a frozen server takes %v, want %v", least, limit)
	}
	t.Skip("SKIPPED: the machine is too busy to call a frozen server within a lease")
	return nil
}

// generationLease is how long a client uses a generation.
const generationLease = time.Second

// calls are those that a frozen server is asked for.
func (f *frozen) calls() map[string]func(context.Context) error {
	return map[string]func(context.Context) error{
		"Get":    func(ctx context.Context) error { _, _, err := f.cache.Get(ctx, "k"); return err },
		"Put":    func(ctx context.Context) error { return f.cache.Put(ctx, "k", record("x"), time.Time{}) },
		"Delete": func(ctx context.Context) error { return f.cache.Delete(ctx, "k") },
		"Swap": func(ctx context.Context) error {
			_, _, err := f.cache.Swap(ctx, "present", f.present, record("y"), time.Time{})
			return err
		},
		"Swap of nothing": func(ctx context.Context) error {
			_, _, err := f.cache.Swap(ctx, "absent", driver.Token{}, record("y"), time.Time{})
			return err
		},
	}
}

// wantOnly checks which of the three an error is.
func wantOnly(t *testing.T, what string, err error, want ...error) {
	t.Helper()
	for _, e := range []error{driver.ErrUnavailable, driver.ErrIndeterminate, context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, e) != slices.Contains(want, e) {
			t.Errorf("%s: %v, want %v", what, err, want)
			return
		}
	}
}

func TestFrozenServerAndDeadline(t *testing.T) {
	f := newFrozen(t)
	for name, call := range f.calls() {
		const limit = 50 * time.Millisecond
		err := f.during(t, limit, func() error {
			ctx, cancel := context.WithTimeout(t.Context(), limit)
			defer cancel()
			return call(ctx)
		})
		if name == "Get" {
			wantOnly(t, name, err, driver.ErrUnavailable, context.DeadlineExceeded)
		} else {
			wantOnly(t, name, err, driver.ErrIndeterminate, context.DeadlineExceeded)
		}
	}
}

func TestFrozenServerAndCancel(t *testing.T) {
	f := newFrozen(t)
	for name, call := range f.calls() {
		err := f.during(t, 50*time.Millisecond, func() error {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			time.AfterFunc(50*time.Millisecond, cancel)
			err := call(ctx)
			wantOnly(t, name+" of a context that has ended", call(ctx), context.Canceled)
			return err
		})
		if name == "Get" {
			wantOnly(t, name, err, context.Canceled)
		} else {
			wantOnly(t, name, err, driver.ErrIndeterminate, context.Canceled)
		}
	}
}

func TestFrozenServerWithoutDeadline(t *testing.T) {
	f := newFrozen(t)
	calls := f.calls()
	for _, name := range []string{"Put", "Swap"} {
		err := f.during(t, frozenTimeout, func() error { return calls[name](context.Background()) })
		wantOnly(t, name, err, driver.ErrIndeterminate)
	}
	err := f.during(t, 3*frozenTimeout, func() error {
		start := time.Now()
		wantOnly(t, "the first Get", calls["Get"](context.Background()), driver.ErrUnavailable)
		if took := time.Since(start); took < frozenTimeout || took > frozenTimeout+patience {
			t.Errorf("it took %v, the request timeout is %v", took, frozenTimeout)
		}
		// The unused connections were given up with the one that fell silent, and
		// nothing is sent on a new one that is not greeted.
		return calls["Delete"](context.Background())
	})
	wantOnly(t, "the next Delete", err, driver.ErrUnavailable)
}
