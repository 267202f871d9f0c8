package hazelcast_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

var fates = map[string]fate{"unanswered": unanswered, "cut": cut, "refused": refused}

// TestLostAnswers loses the answer of each kind of write once, in each way, and looks at
// what the driver says.
func TestLostAnswers(t *testing.T) {
	t.Parallel()
	p := startProxy(t, cluster(t).Addrs[0], nil)
	c := openCache(t, connectThrough(t, p, hazelcast.Options{}), driver.CacheOptions{})
	for _, write := range []struct {
		request string
		do      func(ctx context.Context, key string, present []byte) error
		after   string // what is there if it was carried out
	}{
		{"set", func(ctx context.Context, key string, _ []byte) error {
			return c.Put(ctx, key, record("new"), time.Time{})
		}, "new"},
		{"delete", func(ctx context.Context, key string, _ []byte) error { return c.Delete(ctx, key) }, ""},
		{"put", func(ctx context.Context, key string, _ []byte) error {
			_, _, err := c.(driver.Exchanger).Exchange(ctx, key, record("new"), time.Time{})
			return err
		}, "new"},
		{"replaceIfSame", func(ctx context.Context, key string, present []byte) error {
			_, _, err := c.Swap(ctx, key, driver.Token{B: present}, record("new"), in(time.Hour))
			return err
		}, "new"},
		{"removeIfSame", func(ctx context.Context, key string, present []byte) error {
			_, _, err := c.Swap(ctx, key, driver.Token{B: present}, nil, time.Time{})
			return err
		}, ""},
	} {
		for name, f := range fates {
			t.Run(write.request+" "+name, func(t *testing.T) {
				present := record("old")
				const key = "a key that no error shows"
				must(t, c.Put(limited(t, 10*time.Second), key, present, time.Time{}))
				p.next(write.request, f)
				err := write.do(limited(t, 3*time.Second), key, present)
				if !errors.Is(err, driver.ErrIndeterminate) || errors.Is(err, driver.ErrUnavailable) {
					t.Errorf("the error is %v", err)
				}
				unchecked := write.request == "delete" || write.request == "put" // they take all the time there is
				if f == unanswered && unchecked && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("the context has ended, and the error is %v", err)
				}
				if err != nil && (strings.Contains(err.Error(), "a key") || strings.Contains(err.Error(), "\n")) {
					t.Errorf("the error shows too much: %v", err)
				}
				want := write.after
				if f == refused {
					want = "old"
				}
				got, found, err := c.Get(limited(t, 10*time.Second), key)
				if err != nil || found != (want != "") || found && text(got.Record) != want {
					t.Errorf("afterwards %v, %v", found, err)
				}
			})
		}
	}
}

// TestLostAnswersAreSettled does the same behind the portable layer, which finds out
// what happened.
func TestLostAnswersAreSettled(t *testing.T) {
	t.Parallel()
	ctx := limited(t, time.Minute)
	p := startProxy(t, cluster(t).Addrs[0], nil)
	manager, err := jcache.NewManager(connectThrough(t, p, hazelcast.Options{MapPrefix: short, RequestTimeout: time.Second}), jcache.ManagerOptions{})
	must(t, err)
	c, err := jcache.CreateCache(ctx, manager, "TestLostAnswersAreSettled", jcache.Options[string, int]{})
	must(t, err)
	for name, f := range fates {
		for _, test := range []struct {
			request string
			do      func() (bool, error)
			want    int
		}{
			{"set", func() (bool, error) { return true, c.Put(ctx, "k", 1) }, 1},
			{"replaceIfSame", func() (bool, error) { return c.CompareAndReplace(ctx, "k", 1, 2) }, 2},
			{"setTTL", func() (bool, error) { return c.CompareAndReplace(ctx, "k", 2, 3) }, 3},
			{"removeIfSame", func() (bool, error) { return c.CompareAndRemove(ctx, "k", 3) }, 0},
			{"putIfAbsent", func() (bool, error) { return c.PutIfAbsent(ctx, "k", 4) }, 4},
		} {
			t.Run(test.request+" "+name, func(t *testing.T) {
				p.next(test.request, f)
				done, err := test.do()
				// What was not carried out is repeated only if no harm can come of
				// that, and an absent key does not tell who removed it.
				unsettled := test.request == "removeIfSame" && f != refused
				unrepeated := (test.request == "set" || test.request == "putIfAbsent") && f == refused
				switch {
				case (unsettled || unrepeated) && errors.Is(err, jcache.ErrIndeterminate):
				case err != nil || !done:
					t.Fatal(done, err)
				}
				got, found, err := c.Get(ctx, "k")
				if unrepeated {
					must(t, c.Put(ctx, "k", test.want))
				} else if err != nil || got != test.want || found != (test.want > 0) {
					t.Errorf("afterwards %d, %v, %v", got, found, err)
				}
			})
		}
	}
	// Records that were replaced in this map of a short default life are eternal all the
	// same.
	requests := []string{"replaceIfSame", "setTTL"}
	for _, request := range requests {
		must(t, c.Put(ctx, request, 1))
		p.next(request, map[string]fate{"replaceIfSame": cut, "setTTL": refused}[request])
		if done, err := c.CompareAndReplace(ctx, request, 1, 2); err != nil || !done {
			t.Fatal(done, err)
		}
	}
	wait(in(4 * time.Second))
	for _, request := range requests {
		if _, found, err := c.Get(ctx, request); err != nil || !found {
			t.Errorf("%s: the record died with the map's default, %v", request, err)
		}
	}
}

// TestUnansweredReadIsRepeated swallows the answer to a read.
func TestUnansweredReadIsRepeated(t *testing.T) {
	t.Parallel()
	p := startProxy(t, cluster(t).Addrs[0], nil)
	c := openCache(t, connectThrough(t, p, hazelcast.Options{RequestTimeout: time.Second}), driver.CacheOptions{})
	must(t, c.Put(limited(t, slow), "k", record("v"), time.Time{}))
	for name, f := range fates {
		p.next("get", f)
		start := time.Now()
		got, found, err := c.Get(limited(t, slow), "k")
		if err != nil || !found || text(got.Record) != "v" {
			t.Errorf("%s: %v, %v after %v", name, found, err, time.Since(start))
		}
	}
}
