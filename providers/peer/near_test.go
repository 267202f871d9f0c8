package peer_test

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

const nearBytes = 1 << 20

// get returns a record, empty if there is none.
func get(t testing.TB, c driver.Cache, key string) string {
	t.Helper()
	item, _, err := c.Get(t.Context(), key)
	if err != nil {
		t.Error(err)
	}
	return string(item.Record)
}

func put(t testing.TB, c driver.Cache, key, record string) {
	t.Helper()
	if err := c.Put(t.Context(), key, []byte(record), never); err != nil {
		t.Error(err)
	}
}

// near reads a key until it is kept near, and checks that it costs no round trip then.
func near(t testing.TB, p *peer.Provider, c driver.Cache, key, record string) {
	t.Helper()
	poll(t, "the record is kept near", time.Minute, func() bool {
		before := p.NearStats().Hits
		if got := get(t, c, key); got != record {
			t.Fatalf("%s is %q, want %q", key, got, record)
		}
		return p.NearStats().Hits > before
	})
}

func TestNearCacheCostsNoRoundTrip(t *testing.T) {
	a, b := servers(t)
	client := ask(t, nearBytes, a)
	c, other := open(t, client), open(t, b)
	put(t, other, "key", "1")
	near(t, client, c, "key", "1")
	sent, hits := client.Stats().Remote, client.NearStats().Hits
	for range 100 {
		if got := get(t, c, "key"); got != "1" {
			t.Fatalf("got %q", got)
		}
	}
	// A slow machine may confirm too late that a record may be used.
	hits = client.NearStats().Hits - hits
	if sent = client.Stats().Remote - sent; hits+sent != 100 || hits < 50 {
		t.Errorf("of 100 reads %d were near, and %d went to a member", hits, sent)
	}
	items, err := c.(driver.BatchGetter).GetBatch(t.Context(), []string{"key", "none"})
	if err != nil || len(items) != 1 || string(items[0].Record) != "1" || items[0].Key != "key" {
		t.Errorf("a batch is %v, %v", items, err)
	}
}

// What others change, in whatever way, is seen as soon as the primary has told of it.
func TestNearCacheHearsOfChanges(t *testing.T) {
	a, b := servers(t)
	client := ask(t, nearBytes, a)
	c, other := open(t, client), open(t, b)
	for name, change := range map[string]func(key string) error{
		"put":    func(key string) error { return other.Put(t.Context(), key, []byte("2"), never) },
		"delete": func(key string) error { return other.Delete(t.Context(), key) },
		"clear":  func(string) error { return other.(driver.Clearer).Clear(t.Context()) },
		"expiry": func(key string) error {
			item, _, err := other.Get(t.Context(), key)
			if err != nil {
				return err
			}
			_, err = other.(driver.Toucher).Touch(t.Context(), key, item.Token, time.Now().Add(50*time.Millisecond))
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			put(t, other, name, "1")
			near(t, client, c, name, "1")
			if err := change(name); err != nil {
				t.Fatal(err)
			}
			poll(t, "the change is seen", time.Minute, func() bool { return get(t, c, name) != "1" })
		})
	}
}

// A change that this process asks for drops what is near, also if it fails: it may have been
// applied.
func TestNearCacheAndFailedChanges(t *testing.T) {
	only := serve(t)
	client := ask(t, nearBytes, only)
	c := open(t, client)
	put(t, c, "key", "1")
	near(t, client, c, "key", "1")
	before := client.NearStats().Invalidations
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Put(ctx, "key", []byte("2"), never); err == nil {
		t.Fatal("a put whose context had ended succeeded")
	}
	if client.NearStats().Invalidations == before {
		t.Error("after a failed put the record is still near")
	}
}

// A process sees its own changes at once, whatever it has near.
func TestNearCacheAndOwnChanges(t *testing.T) {
	a, b := servers(t)
	client := ask(t, nearBytes, a)
	c, other := open(t, client), open(t, b)
	put(t, other, "key", "old")
	for i := range 50 {
		near(t, client, c, "key", get(t, c, "key"))
		record := strconv.Itoa(i)
		switch i % 4 {
		case 0:
			put(t, c, "key", record)
		case 1:
			if _, _, err := c.(driver.Exchanger).Exchange(t.Context(), "key", []byte(record), never); err != nil {
				t.Fatal(err)
			}
		case 2:
			if errs := c.(driver.BatchPutter).PutBatch(t.Context(), []driver.Entry{{Key: "key", Record: []byte(record)}}); errs != nil {
				t.Fatal(errs)
			}
		case 3:
			item, _, err := c.Get(t.Context(), "key")
			if err != nil {
				t.Fatal(err)
			}
			if ok, _, err := c.Swap(t.Context(), "key", item.Token, []byte(record), never); !ok || err != nil {
				t.Fatalf("a swap of what is there: %v, %v", ok, err)
			}
		}
		if got := get(t, c, "key"); got != record {
			t.Fatalf("wrote %s, read %s", record, got)
		}
	}
	if err := c.(driver.Clearer).Clear(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := get(t, c, "key"); got != "" {
		t.Errorf("after a clear there is %q", got)
	}
}

// An answer that is overtaken by the change of what it says must not be kept: with readers
// and a writer in several processes, no reader goes back, and at the end all have the last
// record.
func TestNearCacheKeepsNothingThatIsOvertaken(t *testing.T) {
	a, b := servers(t)
	clients := []*peer.Provider{ask(t, nearBytes, a), ask(t, nearBytes, b)}
	writer := open(t, a)
	const keys, rounds = 4, 300
	ctx, cancel := context.WithCancel(t.Context())
	var work sync.WaitGroup
	for _, p := range clients {
		c := open(t, p)
		for reader := range 4 {
			work.Go(func() {
				var last [keys]int
				for i := reader; ctx.Err() == nil; i++ {
					key := i % keys
					got := get(t, c, fmt.Sprint("key", key))
					n, _ := strconv.Atoi(got)
					if n < last[key] {
						t.Errorf("key %d went back from %d to %d", key, last[key], n)
						return
					}
					last[key] = max(last[key], n)
				}
			})
		}
	}
	for i := range rounds {
		for key := range keys {
			put(t, writer, fmt.Sprint("key", key), strconv.Itoa(i+1))
		}
	}
	poll(t, "all have the last record", time.Minute, func() bool {
		for _, p := range clients {
			for key := range keys {
				if get(t, open(t, p), fmt.Sprint("key", key)) != strconv.Itoa(rounds) {
					return false
				}
			}
		}
		return true
	})
	for range 100 {
		for _, p := range clients {
			for key := range keys {
				if got := get(t, open(t, p), fmt.Sprint("key", key)); got != strconv.Itoa(rounds) {
					t.Fatalf("key %d is %s again", key, got)
				}
			}
		}
	}
	cancel()
	work.Wait()
}

// A member that goes takes along what it has not told yet. Whatever is near is dropped, and
// what is written meanwhile is seen.
func TestNearCacheWhenAMemberGoes(t *testing.T) {
	a, b := servers(t)
	third := serve(t, b)
	settled(t, a, b, third)
	client := ask(t, nearBytes, a, b)
	c, other := open(t, client), open(t, a)
	for i := range 20 {
		put(t, other, fmt.Sprint("key", i), "1")
	}
	for i := range 20 {
		near(t, client, c, fmt.Sprint("key", i), "1")
	}
	before := client.NearStats().Invalidations
	if err := third.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll(t, "the client knows that it is gone", time.Minute, func() bool { return client.Members() == 2 })
	if client.NearStats().Invalidations == before {
		t.Error("what is near was not dropped")
	}
	for i := range 20 {
		key := fmt.Sprint("key", i)
		near(t, client, c, key, "1")
		put(t, other, key, "2")
	}
	for i := range 20 {
		poll(t, "the last change is seen", time.Minute, func() bool { return get(t, c, fmt.Sprint("key", i)) == "2" })
	}
}

func TestNearCacheIsBounded(t *testing.T) {
	a, _ := servers(t)
	client := ask(t, 64<<10, a)
	c := open(t, client)
	record := string(make([]byte, 1000))
	for i := range 300 {
		key := fmt.Sprint("key", i)
		put(t, c, key, record)
		get(t, c, key)
	}
	poll(t, "what is near has the size that it may have", time.Minute, func() bool {
		bytes := client.NearStats().Bytes
		return bytes > 0 && bytes <= 64<<10
	})
}

// When nobody tells of changes any more, nothing near is used, and reading fails as it does
// without.
func TestNearCacheOfNobody(t *testing.T) {
	only := serve(t)
	client := ask(t, nearBytes, only)
	c := open(t, client)
	put(t, c, "key", "1")
	near(t, client, c, "key", "1")
	if err := only.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	poll(t, "what is near is not used", time.Minute, func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		_, _, err := c.Get(ctx, "key")
		return err != nil
	})
}
