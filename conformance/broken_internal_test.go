package conformance

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A breaker is a provider on memory that breaks its caches in one way. It acts as a
// remote one: each client has a breaker of its own over the same records.
type breaker struct {
	driver.Provider
	ruin func(b *broken)
}

func (p breaker) Close(context.Context) error { return nil } // the records are shared

func (p breaker) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	b := &broken{
		Cache: c, f: driver.FeaturesOf(c), provider: p.Provider, name: name,
		get: c.Get, put: c.Put, delete: c.Delete, swap: c.Swap,
	}
	b.info = func() driver.Info {
		info := c.Info()
		info.Shared, info.RequestTimeout = true, 5*time.Second
		return info
	}
	p.ruin(b)
	return b, nil
}

// A broken cache is one of which some calls were replaced.
type broken struct {
	driver.Cache
	f        driver.Features
	provider driver.Provider
	name     string

	info   func() driver.Info
	get    func(ctx context.Context, key string) (driver.Item, bool, error)
	put    func(ctx context.Context, key string, record []byte, deadline time.Time) error
	delete func(ctx context.Context, key string) error
	swap   func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error)
}

func (b *broken) Features() driver.Features { return b.f }
func (b *broken) Info() driver.Info         { return b.info() }

func (b *broken) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	return b.get(ctx, key)
}

func (b *broken) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	return b.put(ctx, key, record, deadline)
}

func (b *broken) Delete(ctx context.Context, key string) error { return b.delete(ctx, key) }

func (b *broken) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	return b.swap(ctx, key, old, record, deadline)
}

// reject runs driver cases on a broken driver.
func reject(ruin func(*broken), chosen func(name string) bool) (Report, error) {
	records, err := memory.Connect(memory.Options{})
	if err != nil {
		return Report{}, err
	}
	defer records.Close(context.Background()) //nolint:errcheck // it has no errors
	h := Harness{Name: "broken", Connect: func(T) driver.Provider { return breaker{records, ruin} }}
	return check(context.Background(), h, func(c testCase) bool { return c.group == "driver" && chosen(c.name) }), nil
}

func TestSoundDriverIsNotRejected(t *testing.T) {
	t.Parallel()
	report, err := reject(func(*broken) {}, func(string) bool { return true })
	if err != nil || report.Failed > 0 || report.Unsupported > 0 {
		t.Errorf("error %v\n%v", err, report)
	}
}

// Each broken driver must be rejected by the cases that are about what is broken.
func TestBrokenDriversAreRejected(t *testing.T) {
	t.Parallel()
	reports := make([]Report, len(ruins))
	var wg sync.WaitGroup
	for i, r := range ruins {
		wg.Go(func() {
			var err error
			if reports[i], err = reject(r.ruin, func(name string) bool { return strings.HasPrefix(name, r.by) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, r := range ruins {
		if reports[i].Failed == 0 {
			t.Errorf("%s: not caught by any of the %d cases %q", r.name, reports[i].Passed, r.by)
		}
		for _, f := range reports[i].Failures {
			t.Logf("%s: caught by %s", r.name, f.Case)
		}
	}
}

// A failure shows what was broken, in the words of the contract.
func TestFailureShowsTheRule(t *testing.T) {
	records, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer records.Close(context.Background()) //nolint:errcheck // it has no errors
	h := Harness{Name: "broken", Seed: 42, Connect: func(T) driver.Provider {
		return breaker{records, func(b *broken) { b.f.Locker = nil }}
	}}
	report := check(t.Context(), h, func(c testCase) bool {
		return c.name == "features are as declared" || strings.HasPrefix(c.name, "lock/")
	})
	if report.Passed != 0 || report.Failed != 1 || report.Unsupported != len(lockCases) || report.Seed != 42 {
		t.Fatalf("got %+v", report)
	}
	for _, want := range []string{
		"FAIL driver/features are as declared\n", "\n    rule: What a provider cannot do is known", "(package conformance)\n",
		`: the caches lack "lock"; if that is meant, name it in Lacks`, "\nKEEPSAKE_SEED=42 repeats", "\nconformance: 0 passed, 1 failed, 5 unsupported\n",
	} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("the report does not contain %q:\n%v", want, report)
		}
	}
}

// A provider that cannot be reached is a report too.
func TestNoConnection(t *testing.T) {
	report := Check(t.Context(), Harness{Name: "nowhere", Connect: func(t T) driver.Provider {
		t.Fatalf("nobody is there")
		return nil
	}})
	if report.Failed != 1 || !strings.Contains(report.String(), "nobody is there") {
		t.Errorf("got %v", report)
	}
}
