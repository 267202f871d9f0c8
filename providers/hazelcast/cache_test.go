package hazelcast_test

import (
	"bytes"
	"errors"
	"strconv"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

func TestGetPutDelete(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)

	if _, found, err := c.Get(ctx, "k"); found || err != nil {
		t.Fatal("absent key:", found, err)
	}
	must(t, c.Delete(ctx, "k"))
	for _, want := range [][]byte{record("one"), record("two"), record(string(make([]byte, 1<<20)))} {
		must(t, c.Put(ctx, "k", want, time.Time{}))
		got, found, err := c.Get(ctx, "k")
		if err != nil || !found || !bytes.Equal(got.Record, want) || got.Token.IsZero() {
			t.Fatal("got", found, err)
		}
	}
	must(t, c.Delete(ctx, "k"))
	if _, found, err := c.Get(ctx, "k"); found || err != nil {
		t.Fatal("deleted key:", found, err)
	}
}

func TestSwap(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	present := record("present")
	stale := driver.Token{B: record("stale")}
	fresh := driver.Token{B: present}

	for _, test := range []struct {
		name    string
		key     string // absent, or holding present
		old     driver.Token
		record  []byte
		swapped bool
		current bool   // whether the driver must say what is there
		after   string // "" if the key must be absent
	}{
		{"create", "absent", driver.Token{}, record("new"), true, false, "new"},
		{"create over present", "held", driver.Token{}, record("new"), false, true, "present"},
		{"replace", "held", fresh, record("new"), true, false, "new"},
		{"replace stale", "held", stale, record("new"), false, false, "present"},
		{"replace absent", "absent", stale, record("new"), false, false, ""},
		{"remove", "held", fresh, nil, true, false, ""},
		{"remove stale", "held", stale, nil, false, false, "present"},
		{"remove absent", "absent", stale, nil, false, false, ""},
		{"demand absence", "absent", driver.Token{}, nil, true, false, ""},
		{"demand absence of present", "held", driver.Token{}, nil, false, true, "present"},
	} {
		t.Run(test.name, func(t *testing.T) {
			key := test.key + " " + test.name
			if test.key == "held" {
				must(t, c.Put(ctx, key, present, in(time.Hour)))
			}
			swapped, current, err := c.Swap(ctx, key, test.old, test.record, in(time.Hour))
			if err != nil || swapped != test.swapped || (current != nil) != test.current {
				t.Fatalf("swapped %v, current %v, error %v", swapped, current, err)
			}
			if current != nil && (!bytes.Equal(current.Record, present) || current.Token.IsZero()) {
				t.Errorf("current is %q", current.Record)
			}
			got, found, err := c.Get(ctx, key)
			if err != nil || found != (test.after != "") || found && text(got.Record) != test.after {
				t.Errorf("afterwards %v, %v", found, err)
			}
		})
	}
}

// TestSwapLosesNothing has many goroutines of two clients increment one number.
func TestSwapLosesNothing(t *testing.T) {
	t.Parallel()
	const clients, goroutines, times = 2, 4, 25
	caches := make([]driver.Cache, clients)
	first := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	name := mapOf(first).Name()[len("keepsake."):]
	ctx := limited(t, time.Minute)
	for i := range caches {
		c, err := connect(t, hazelcast.Options{}).OpenCache(ctx, name, driver.CacheOptions{})
		must(t, err)
		caches[i] = c
	}
	must(t, first.Put(ctx, "n", record("0"), time.Time{}))
	var wg sync.WaitGroup
	for i := range clients * goroutines {
		c := caches[i%clients]
		wg.Go(func() {
			for done := 0; done < times; {
				got, _, err := c.Get(ctx, "n")
				if err != nil {
					t.Error(err)
					return
				}
				n, _ := strconv.Atoi(text(got.Record))
				swapped, _, err := c.Swap(ctx, "n", got.Token, record(strconv.Itoa(n+1)), time.Time{})
				if err != nil {
					t.Error(err)
					return
				}
				if swapped {
					done++
				}
			}
		})
	}
	wg.Wait()
	got, _, err := first.Get(ctx, "n")
	must(t, err)
	if want := strconv.Itoa(clients * goroutines * times); text(got.Record) != want {
		t.Errorf("got %s, want %s", text(got.Record), want)
	}
}

func TestExchange(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	x := c.(driver.Exchanger)
	for _, step := range []struct {
		record   []byte
		previous string
	}{
		{nil, ""}, {record("one"), ""}, {record("two"), "one"}, {nil, "two"}, {nil, ""},
	} {
		previous, existed, err := x.Exchange(ctx, "k", step.record, in(time.Hour))
		if err != nil || existed != (step.previous != "") || existed && text(previous.Record) != step.previous {
			t.Fatalf("want %q, got %v %v", step.previous, existed, err)
		}
	}
}

// TestExchangeThatWasRepeated: the client sends a request again if the connection breaks
// while it is written, and then the first one may have been carried out.
func TestExchangeThatWasRepeated(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	own := record("own")
	must(t, c.Put(ctx, "k", own, time.Time{}))
	if _, _, err := c.(driver.Exchanger).Exchange(ctx, "k", own, time.Time{}); !errors.Is(err, driver.ErrIndeterminate) {
		t.Errorf("what was there before is unknown, and the error is %v", err)
	}
}

func TestKeysOfAnyKind(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	keys := []string{"a", " ", "\x00", "\x00keepsake", "ä", "日本", "🧺", "e\u0301", "\u00e9", "line\nbreak", "\ufeff", string(bytes.Repeat([]byte("k"), 4096))}
	for i, key := range keys {
		must(t, c.Put(ctx, key, record(strconv.Itoa(i)), time.Time{}))
	}
	for i, key := range keys {
		got, found, err := c.Get(ctx, key)
		if err != nil || !found || text(got.Record) != strconv.Itoa(i) {
			t.Errorf("key %d: %v %v", i, found, err)
		}
	}
	seen := map[string]bool{}
	for item, err := range c.(driver.Scanner).Scan(ctx) {
		must(t, err)
		seen[item.Key] = true
	}
	for i, key := range keys {
		if !seen[key] {
			t.Errorf("key %d was not scanned", i)
		}
	}
}

func TestBulk(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	const n = 1200
	entries := make([]driver.Entry, n)
	keys := make([]string, n)
	for i := range entries {
		keys[i] = "key " + strconv.Itoa(i)
		entries[i] = driver.Entry{Key: keys[i], Record: record(keys[i]), Deadline: in(time.Hour)}
	}
	if errs := c.(driver.BatchPutter).PutBatch(ctx, entries); errs != nil {
		t.Fatal(errs)
	}
	size := func(want int) {
		t.Helper()
		if got, err := c.(driver.Sizer).Size(ctx); err != nil || got != want {
			t.Errorf("size %d, want %d, %v", got, want, err)
		}
	}
	size(n)

	for _, ask := range [][]string{{}, {"absent"}, keys[:1], keys[:20], keys, append([]string{"absent"}, keys...)} {
		items, err := c.(driver.BatchGetter).GetBatch(ctx, ask)
		must(t, err)
		want := len(ask)
		if want > 0 && ask[0] == "absent" {
			want--
		}
		seen := map[string]bool{}
		for _, item := range items {
			if text(item.Record) != item.Key || item.Token.IsZero() {
				t.Fatalf("%q holds %q", item.Key, item.Record)
			}
			seen[item.Key] = true
		}
		if len(items) != want || len(seen) != want {
			t.Errorf("asked for %d, got %d, %d different", len(ask), len(items), len(seen))
		}
	}

	seen := map[string]bool{}
	for item, err := range c.(driver.Scanner).Scan(ctx) {
		must(t, err)
		if seen[item.Key] || text(item.Record) != item.Key {
			t.Fatalf("%q again, or wrong", item.Key)
		}
		seen[item.Key] = true
		if len(seen) == 10 { // the loop body may call the cache
			must(t, c.Delete(ctx, item.Key))
		}
	}
	if len(seen) != n {
		t.Errorf("scanned %d of %d", len(seen), n)
	}
	for range c.(driver.Scanner).Scan(ctx) {
		break
	}

	must(t, c.(driver.Clearer).Clear(ctx))
	size(0)
}

func TestForeignEntriesAreErrors(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	m := mapOf(c)
	must(t, m.Set(ctx, "text", "not bytes"))
	if _, _, err := c.Get(ctx, "text"); err == nil {
		t.Error("a text was taken for a record")
	}
	must(t, m.Set(ctx, 7, []byte("bytes")))
	for _, err := range c.(driver.Scanner).Scan(ctx) {
		if err == nil {
			t.Error("a number was taken for a key")
		}
	}
}

func TestInfo(t *testing.T) {
	t.Parallel()
	p := connect(t, hazelcast.Options{RequestTimeout: 3 * time.Second})
	info := openCache(t, p, driver.CacheOptions{LongestTTL: time.Hour}).Info()
	want := driver.Info{MaxRecordBytes: 4 << 20, RequestTimeout: 3 * time.Second, ExpiryStep: 2 * time.Hour, Shared: true, Evicts: true}
	if info != want {
		t.Errorf("got %+v, want %+v", info, want)
	}
}

// TestClose is not parallel to others, because it counts goroutines.
func TestClose(t *testing.T) {
	addrs := cluster(t).Addrs
	before := goleak.IgnoreCurrent()
	ctx := limited(t, time.Minute)
	p, err := hazelcast.Connect(ctx, hazelcast.Options{Servers: addrs})
	must(t, err)
	c := openCache(t, p, driver.CacheOptions{})
	watch(t, c, func(driver.Event) {})
	must(t, c.Put(ctx, "k", record(""), time.Time{}))
	must(t, p.Ping(ctx))
	must(t, c.Close())
	must(t, p.Close(ctx))
	must(t, p.Close(ctx))
	goleak.VerifyNone(t, before)

	_, _, getErr := c.Get(ctx, "k")
	_, batchErr := c.(driver.BatchGetter).GetBatch(ctx, []string{"k"})
	_, _, swapErr := c.Swap(ctx, "k", driver.Token{}, record(""), time.Time{})
	for name, err := range map[string]error{
		"ping": p.Ping(ctx), "get": getErr, "get batch": batchErr, "swap": swapErr,
		"put": c.Put(ctx, "k", record(""), time.Time{}),
	} {
		if !errors.Is(err, driver.ErrUnavailable) || errors.Is(err, driver.ErrIndeterminate) {
			t.Errorf("%s after Close: %v", name, err)
		}
	}
}
