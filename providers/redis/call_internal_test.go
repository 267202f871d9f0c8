package redis

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A bounded is a context as the portable layer makes it.
type bounded struct {
	context.Context
	parent context.Context
}

func (b bounded) Unbounded() context.Context { return b.parent }

func TestWhatAnExchangeWaitsFor(t *testing.T) {
	p := &Provider{opts: Options{RequestTimeout: time.Second}}
	caller, cancel := context.WithCancel(t.Context())
	defer cancel()
	far, cancel := context.WithTimeout(caller, time.Hour)
	defer cancel()
	near, cancel := context.WithTimeout(caller, time.Second)
	defer cancel()
	for name, test := range map[string]struct{ ctx, want context.Context }{
		"the caller's deadline":             {far, far},
		"a far one of the portable layer":   {bounded{far, caller}, caller},
		"a near one":                        {bounded{near, caller}, bounded{near, caller}},
		"a far one, and nobody gives up":    {bounded{far, context.Background()}, context.Background()},
		"a caller without any, as it comes": {caller, caller},
	} {
		if got := p.within(test.ctx, time.Now()); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// A call that only the portable layer bounds ends, though nobody measures its time.
func TestAFrozenServerHoldsNobodyUp(t *testing.T) {
	server := servertest.Redis(t)
	p, err := Connect(t.Context(), Options{Servers: []string{server.Addr}})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context()) //nolint:errcheck // it is not what is tested
	m, err := jcache.NewManager(p, jcache.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	cache, err := jcache.CreateCache(t.Context(), m, "carts", jcache.Options[string, int]{})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Pause(); err != nil {
		t.Fatal(err)
	}
	p.link.troubled.Store(-int64(time.Hour)) // the connection has been quiet for long
	if _, _, err := cache.Get(context.Background(), "k"); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Get: %v", err)
	}
	p.link.troubled.Store(-int64(time.Hour))
	if err := cache.Put(context.Background(), "k", 1); !errors.Is(err, driver.ErrIndeterminate) && !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("Put: %v", err)
	}
	if err := server.Resume(); err != nil {
		t.Error(err)
	}
}
