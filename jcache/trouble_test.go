package jcache_test

import (
	"context"
	"sync/atomic"
	"testing"

	"github.com/keepsake-cache/keepsake/conformance/faulty"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A trouble is a cache whose driver fails as its plan says, and the same entries
// without trouble.
type trouble struct {
	cache, calm *jcache.Cache[string, int]
	provider    *faulty.Provider
	plan        atomic.Pointer[func(faulty.Call) faulty.Fault]
}

func newTrouble(t testing.TB, opts jcache.Options[string, int], disabled ...driver.Feature) *trouble {
	t.Helper()
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tr := &trouble{}
	tr.provider = faulty.New(p, func(c faulty.Call) faulty.Fault {
		if plan := tr.plan.Load(); plan != nil {
			return (*plan)(c)
		}
		return faulty.None
	})
	open := func(p driver.Provider) *jcache.Cache[string, int] {
		m, err := jcache.NewManager(p, jcache.ManagerOptions{Disable: disabled})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := m.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
		c, err := jcache.CreateCache(t.Context(), m, "test", opts)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	tr.calm, tr.cache = open(p), open(tr.provider)
	return tr
}

func (tr *trouble) follow(plan func(faulty.Call) faulty.Fault) { tr.plan.Store(&plan) }

// once has one fault in the first call that writes.
func once(fault faulty.Fault) func(faulty.Call) faulty.Fault {
	var done atomic.Bool
	return func(c faulty.Call) faulty.Fault {
		if c.Op != "Get" && c.Op != "GetBatch" && done.CompareAndSwap(false, true) {
			return fault
		}
		return faulty.None
	}
}

func (tr *trouble) value(t testing.TB) int {
	t.Helper()
	n, _, err := tr.calm.Get(context.Background(), "k")
	if err != nil {
		t.Fatal(err)
	}
	return n // zero is absent
}
