package jcache_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/faulty"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var errSecret = errors.New("an error of the program")

// setNumber has nothing to answer.
var setNumber = jcache.RegisterProcessor("jcache_test.setNumber", jcache.Options[string, int]{}, func(e *numberEntry, n int) (struct{}, error) {
	e.SetValue(n)
	return struct{}{}, nil
})

// addUpTo adds to a number, but not beyond 100.
var addUpTo = jcache.RegisterProcessor("jcache_test.addUpTo", jcache.Options[string, int]{}, func(e *numberEntry, by int) (int, error) {
	n, _, err := e.Value()
	if err == nil && n+by > 100 {
		err = errSecret
	}
	e.SetValue(n + by)
	return n + by, err
})

func TestProcessorNamesAreUnique(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("a name was registered twice")
		}
	}()
	jcache.RegisterProcessor("jcache_test.addUpTo", jcache.Options[string, int]{}, func(*numberEntry, int) (int, error) { return 0, nil })
}

// A registered processor is one call of the driver. Where it cannot be, it is a read and a
// swap; the result is the same.
func TestWhereProcessorsRun(t *testing.T) {
	twice := func(string, int) jcache.Expiry { return jcache.ExpireAfter(time.Hour) }
	for _, test := range []struct {
		name     string
		opts     jcache.Options[string, int]
		disabled []driver.Feature
		calls    string
	}{
		{"where the entry is", jcache.Options[string, int]{}, nil, "Invoke"},
		{"under a policy of this package", jcache.Options[string, int]{ExpiryPolicy: jcache.Touched[string, int](time.Hour)}, nil, "Invoke"},
		{"without touch", jcache.Options[string, int]{}, []driver.Feature{driver.FeatureTouch}, "Invoke"},
		{"under a policy of one's own", jcache.Options[string, int]{ExpiryPolicy: ownPolicy(twice)}, nil, "Get Swap"},
		{"with another codec", jcache.Options[string, int]{Codec: jcache.JSON[int]()}, nil, "Get Swap"},
		{"without invoke", jcache.Options[string, int]{}, []driver.Feature{driver.FeatureInvoke}, "Get Swap"},
	} {
		tr := newTrouble(t, test.opts, test.disabled...)
		if err := tr.calm.Put(t.Context(), "k", 90); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		var calls []string
		tr.follow(func(c faulty.Call) faulty.Fault {
			mu.Lock()
			defer mu.Unlock()
			calls = append(calls, c.Op)
			return faulty.None
		})
		n, err := addUpTo.Invoke(t.Context(), tr.cache, "k", 5)
		if got := strings.Join(calls, " "); n != 95 || err != nil || got != test.calls || tr.value(t) != 95 {
			t.Errorf("%s: got %d, %v by %s, and %d is stored", test.name, n, err, got, tr.value(t))
		}
		_, err = addUpTo.Invoke(t.Context(), tr.cache, "k", 50)
		var typed *jcache.Error
		if !errors.Is(err, jcache.ErrProcessor) || errors.Is(err, errSecret) || !strings.HasSuffix(err.Error(), ": "+errSecret.Error()) || !errors.As(err, &typed) {
			t.Errorf("%s: a refusal is %v", test.name, err)
		}
		if tr.value(t) != 95 {
			t.Errorf("%s: after a refusal %d is stored", test.name, tr.value(t))
		}
	}
}

// ownPolicy is a policy that is not one of the package's.
type ownPolicy func(string, int) jcache.Expiry

func (p ownPolicy) OnCreate(k string, v int) jcache.Expiry { return p(k, v) }
func (p ownPolicy) OnAccess(string, int) jcache.Expiry     { return jcache.KeepExpiry() }
func (p ownPolicy) OnUpdate(k string, v int) jcache.Expiry { return p(k, v) }

var hourly = jcache.RegisterProcessor("jcache_test.hourly",
	jcache.Options[string, int]{ExpiryPolicy: ownPolicy(func(string, int) jcache.Expiry { return jcache.ExpireAfter(time.Hour) })},
	func(e *numberEntry, to int) (bool, error) {
		existed := e.Exists()
		e.SetValue(to)
		return existed, nil
	})

// A policy that cannot travel is the one that the processor was registered with.
func TestProcessorsOwnPolicy(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{ExpiryPolicy: ownPolicy(func(string, int) jcache.Expiry { return jcache.ExpireAfter(time.Hour) })})
	tr.follow(func(c faulty.Call) faulty.Fault {
		if c.Op != "Invoke" && c.Op != "Get" {
			t.Errorf("a call of %s", c.Op)
		}
		return faulty.None
	})
	if existed, err := hourly.Invoke(t.Context(), tr.cache, "k", 5); existed || err != nil {
		t.Fatalf("%v, %v", existed, err)
	}
	e, ok, err := tr.cache.GetEntry(t.Context(), "k")
	if left := time.Until(e.Deadline); !ok || err != nil || left < 50*time.Minute || left > time.Hour+time.Second {
		t.Errorf("%+v, %v, %v", e, ok, err)
	}
}

// unknowing is a driver whose other processes know no processors.
type unknowing struct{ driver.Provider }

func (p unknowing) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	return unknowingCache{c}, err
}

type unknowingCache struct{ driver.Cache }

func (c unknowingCache) Invoke(context.Context, string, string, []byte) ([]byte, error) {
	return nil, driver.ErrNoProcessor
}

func TestUnknownProcessorRunsHere(t *testing.T) {
	tr := newTrouble(t, jcache.Options[string, int]{})
	m, err := jcache.NewManager(unknowing{tr.provider}, jcache.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c, err := jcache.CreateCache(t.Context(), m, "other", jcache.Options[string, int]{})
	if err != nil {
		t.Fatal(err)
	}
	for want := 5; want <= 10; want += 5 {
		if n, err := addUpTo.Invoke(t.Context(), c, "k", 5); n != want || err != nil {
			t.Errorf("got %d, %v; want %d", n, err, want)
		}
	}
}

// A lost acknowledgement is an unknown outcome, since the result is lost with it.
func TestLostAnswer(t *testing.T) {
	for fault, want := range map[faulty.Fault]error{faulty.LostApplied: jcache.ErrIndeterminate, faulty.LostDropped: jcache.ErrIndeterminate, faulty.Refused: jcache.ErrUnavailable} {
		tr := newTrouble(t, jcache.Options[string, int]{})
		tr.follow(once(fault))
		if n, err := addUpTo.Invoke(t.Context(), tr.cache, "k", 5); !errors.Is(err, want) || n != 0 {
			t.Errorf("fault %d: got %d, %v", fault, n, err)
		}
	}
}
