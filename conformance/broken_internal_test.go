package conformance

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A breaker is a provider on memory that breaks its caches in one way. It acts as a
// remote one: each client has a breaker of its own over the same records.
type breaker struct {
	driver.Provider
	names  *sync.Map // of all caches
	inject func(b *broken)
}

func (p breaker) Close(context.Context) error { return nil } // the records are shared

func (p breaker) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	p.names.Store(name, true)
	b := &broken{
		names: p.names,
		Cache: c, f: driver.FeaturesOf(c), provider: p.Provider, name: name,
		get: c.Get, put: c.Put, delete: c.Delete, swap: c.Swap,
	}
	b.info = func() driver.Info {
		info := c.Info()
		info.Shared, info.RequestTimeout = true, 5*time.Second
		return info
	}
	p.inject(b)
	return b, nil
}

// A broken cache is one of which some calls were replaced.
type broken struct {
	driver.Cache
	f        driver.Features
	provider driver.Provider
	name     string
	names    *sync.Map

	info   func() driver.Info
	get    func(ctx context.Context, key string) (driver.Item, bool, error)
	put    func(ctx context.Context, key string, record []byte, deadline time.Time) error
	delete func(ctx context.Context, key string) error
	swap   func(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error)
}

// all returns the names of all caches.
func (b *broken) all() (names []string) {
	b.names.Range(func(name, _ any) bool { names = append(names, name.(string)); return true })
	return names
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
func reject(inject func(*broken), chosen func(name string) bool) (Report, error) {
	records, err := memory.Connect(memory.Options{})
	if err != nil {
		return Report{}, err
	}
	defer records.Close(context.Background()) //nolint:errcheck // it has no errors
	var names sync.Map
	h := Harness{Name: "broken", Connect: func(T) driver.Provider { return breaker{records, &names, inject} }}
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
	reports := make([]Report, len(defects))
	var wg sync.WaitGroup
	for i, r := range defects {
		wg.Go(func() {
			var err error
			if reports[i], err = reject(r.inject, func(name string) bool { return strings.HasPrefix(name, r.by) }); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	for i, r := range defects {
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
		return breaker{records, new(sync.Map), func(b *broken) { b.f.Locker = nil }}
	}}
	report := check(t.Context(), h, func(c testCase) bool {
		return c.name == "features are as declared" || strings.HasPrefix(c.name, "lock/")
	})
	if report.Passed != 0 || report.Failed != 1 || report.Unsupported != len(lockCases) || report.Seed != 42 {
		t.Fatalf("got %+v", report)
	}
	if begin := "FAIL driver/features are as declared: What a provider cannot do is known: "; !strings.HasPrefix(report.String(), begin) {
		t.Errorf("the report does not begin with %q:\n%v", begin, report)
	}
	for _, want := range []string{
		"(package conformance)\n", `: the caches lack "lock"; if that is meant, name it in Lacks`,
		"\nnot run: ", "\nseed 42; KEEPSAKE_SEED=42 repeats", "\nconformance: 0 passed, 1 failed, 5 unsupported\n",
	} {
		if !strings.Contains(report.String(), want) {
			t.Errorf("the report does not contain %q:\n%v", want, report)
		}
	}
}

// A driver that hurts other cases than the one whose rule it breaks is reported by that
// rule, and what follows from it is counted.
func TestReportBeginsWithWhatFailsAlone(t *testing.T) {
	t.Parallel()
	report, err := reject(func(b *broken) {
		b.f.Clearer = clearFunc(func(ctx context.Context) error {
			for _, name := range b.all() {
				c, err := b.provider.OpenCache(ctx, name, driver.CacheOptions{})
				if err == nil {
					err = driver.FeaturesOf(c).Clearer.Clear(ctx)
				}
				if err != nil {
					return err
				}
			}
			return nil
		})
	}, func(name string) bool {
		return strings.HasPrefix(name, "clear/") || strings.HasPrefix(name, "scan/") || name == "every write is seen by every client"
	})
	if err != nil {
		t.Fatal(err)
	}
	text := report.String()
	if !strings.HasPrefix(text, "FAIL driver/clear/only this cache: Clear removes only the records of this cache.") {
		t.Errorf("it begins with something else:\n%s", text)
	}
	if more := fmt.Sprintf("\n%d more cases failed, ", report.Failed-1); report.Failed < 2 || !strings.Contains(text, more) {
		t.Errorf("it does not count what follows: %q\n%s", more, text)
	}
}

// What a driver does to bytes is shown, and the bytes are not.
func TestReportHasNoRawBytes(t *testing.T) {
	t.Parallel()
	report, err := reject(func(b *broken) {
		b.get = func(ctx context.Context, key string) (driver.Item, bool, error) {
			item, found, err := b.Cache.Get(ctx, key)
			item.Record = []byte("12345678\x00\x1b[2Jkey\xff\u202e" + strings.Repeat("\a", 5000))
			return item, found, err
		}
		b.delete = func(context.Context, string) error { return errors.New("\x1b]0;\xfe\a") }
	}, func(name string) bool {
		return strings.HasPrefix(name, "put/") || strings.HasPrefix(name, "get/") || strings.HasPrefix(name, "race/")
	})
	if err != nil || report.Failed == 0 {
		t.Fatal(err, report)
	}
	for line := range strings.Lines(report.String()) {
		if len(line) > 8000 {
			t.Errorf("a line of %d bytes", len(line))
		}
		for _, r := range strings.TrimSuffix(line, "\n") {
			if r == utf8.RuneError || !unicode.IsPrint(r) && r != '\t' {
				t.Fatalf("the report has %U in %q", r, line)
			}
		}
	}
}

// The seed is always printed, and emptying a case's cache is no rule.
func TestReportOfPassedCases(t *testing.T) {
	t.Parallel()
	report, err := reject(func(b *broken) {
		clearer := b.f.Clearer
		b.f.Clearer = clearFunc(func(ctx context.Context) error { return errors.Join(clearer.Clear(ctx), errors.New("it was cleared")) })
	}, func(name string) bool { return strings.HasPrefix(name, "put/") || strings.HasPrefix(name, "swap/") })
	if err != nil || report.Failed > 0 || report.Passed == 0 || !strings.Contains(report.String(), repeats(report.Seed)) {
		t.Errorf("error %v\n%v", err, report)
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
