package hazelcast_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// The configurations of the shared cluster's maps.
const (
	recommended = "keepsake." // a default life of two hours
	short       = "short."    // a default life of three seconds
	none        = "none."     // no default
)

// wait returns at the time.
func wait(t time.Time) {
	<-time.After(time.Until(t))
}

// A watched record must be there until its time has come.
type watched struct {
	cache driver.Cache
	key   string
	until time.Time
}

// alive reads records again and again, until the last time has come. Waiting for all at
// once is what keeps these tests short.
func alive(t *testing.T, records []watched) {
	t.Helper()
	ctx := limited(t, time.Minute)
	for len(records) > 0 {
		start := time.Now()
		records = slices.DeleteFunc(records, func(r watched) bool {
			_, found, err := r.cache.Get(ctx, r.key)
			must(t, err)
			now := time.Now()
			if !found && now.Before(r.until) {
				t.Errorf("%s in %s is gone %v early", r.key, mapOf(r.cache).Name(), r.until.Sub(now))
			}
			return !found || now.After(r.until)
		})
		wait(start.Add(20 * time.Millisecond))
	}
}

func mapOf(c driver.Cache) *hz.Map { return c.(driver.Unwrapper).Unwrap().(*hz.Map) }

// TestNoRecordDiesEarly writes records of short lives in all ways and in maps of all
// configurations.
func TestNoRecordDiesEarly(t *testing.T) {
	t.Parallel()
	ctx := limited(t, time.Minute)
	var records []watched
	for _, prefix := range []string{recommended, short, none} {
		c := openCache(t, connect(t, hazelcast.Options{MapPrefix: prefix}), driver.CacheOptions{LongestTTL: 4 * time.Second})
		for life := 300 * time.Millisecond; life <= 3*time.Second; life += 130 * time.Millisecond {
			add := func(how string, write func(key string, deadline time.Time) error) {
				t.Helper()
				key := how + life.String()
				deadline := in(life)
				must(t, write(key, deadline))
				records = append(records, watched{c, key, deadline})
			}
			add("put", func(key string, deadline time.Time) error { return c.Put(ctx, key, record(""), deadline) })
			add("created", func(key string, deadline time.Time) error {
				_, _, err := c.Swap(ctx, key, driver.Token{}, record(""), deadline)
				return err
			})
			add("replaced", func(key string, deadline time.Time) error { return replace(t, c, key, deadline) })
			add("exchanged", func(key string, deadline time.Time) error {
				_, _, err := c.(driver.Exchanger).Exchange(ctx, key, record(""), deadline)
				return err
			})
		}
	}
	alive(t, records)
}

// replace swaps a record in for one of another deadline, again if that one has died before.
func replace(t *testing.T, c driver.Cache, key string, deadline time.Time) error {
	t.Helper()
	ctx := limited(t, time.Minute)
	for {
		old := record("")
		must(t, c.Put(ctx, key, old, in(time.Second)))
		if swapped, _, err := c.Swap(ctx, key, driver.Token{B: old}, record(""), deadline); swapped || err != nil {
			return err
		}
	}
}

// TestRecordsOutliveTheMapsDefault replaces records in a map whose default life is
// shorter than theirs.
func TestRecordsOutliveTheMapsDefault(t *testing.T) {
	t.Parallel()
	var records []watched
	for _, longest := range []time.Duration{0, 10 * time.Second} {
		c := openCache(t, connect(t, hazelcast.Options{MapPrefix: short}), driver.CacheOptions{LongestTTL: longest})
		for key, deadline := range map[string]time.Time{
			"ten seconds":       in(10 * time.Second),
			"eternal":           {},
			"beyond the policy": in(48 * time.Hour),
			"beyond all years":  in(200 * 365 * 24 * time.Hour),
		} {
			must(t, replace(t, c, key, deadline))
			must(t, c.Put(limited(t, time.Minute), "put "+key, record(""), deadline))
			records = append(records, watched{c, key, in(5 * time.Second)}, watched{c, "put " + key, in(5 * time.Second)})
		}
	}
	alive(t, records)
}

// TestLateSetTTLKillsNobody sends the second request of one writer's replace after
// another writer's, which is what a slow network does.
func TestLateSetTTLKillsNobody(t *testing.T) {
	t.Parallel()
	const longest = 10 * time.Second
	ctx := limited(t, time.Minute)
	var records []watched
	for _, prefix := range []string{short, none} {
		c := openCache(t, connect(t, hazelcast.Options{MapPrefix: prefix}), driver.CacheOptions{LongestTTL: longest})
		ttlAfterReplace := func(deadline time.Time) time.Duration {
			must(t, replace(t, c, "k", deadline))
			view, err := mapOf(c).GetEntryView(ctx, "k")
			must(t, err)
			return time.Duration(view.TTL) * time.Millisecond
		}
		// What the second request sets does not depend on the record's own life …
		soon, late := ttlAfterReplace(in(4*time.Second)), ttlAfterReplace(in(longest))
		if soon != late || soon <= longest {
			t.Fatalf("the TTL is %v and %v, the longest life is %v", soon, late, longest)
		}
		// … so it does no harm to a record of any other life.
		deadline := in(4 * time.Second)
		must(t, c.Put(ctx, "other", record(""), deadline))
		must(t, mapOf(c).SetTTL(ctx, "other", soon))
		records = append(records, watched{c, "other", deadline})
	}
	alive(t, records)
}

// TestTTLOnTheMembers looks at what members were told.
func TestTTLOnTheMembers(t *testing.T) {
	t.Parallel()
	const forever = time.Duration(1<<63-1) / time.Millisecond * time.Millisecond
	year := 365 * 24 * time.Hour
	for _, test := range []struct {
		prefix   string
		longest  time.Duration
		life     time.Duration // 0: eternal
		put      time.Duration
		replaced time.Duration
	}{
		{recommended, time.Hour, 30 * time.Minute, 30*time.Minute + 1*time.Second, 2 * time.Hour},
		{recommended, time.Hour, 0, forever, forever},
		{recommended, 0, 3 * time.Hour, 3*time.Hour + 1*time.Second, 30 * 24 * time.Hour},
		{recommended, time.Hour, 3 * time.Hour, 3*time.Hour + 1*time.Second, 4*time.Hour + 4*time.Minute},
		{recommended, 3 * time.Hour, 3 * time.Hour, 3*time.Hour + 1*time.Second, 3*time.Hour + time.Minute},
		{none, time.Hour, 30 * time.Minute, 30*time.Minute + 1*time.Second, time.Hour + time.Minute},
		{none, 0, 30 * time.Minute, 30*time.Minute + 1*time.Second, 30 * 24 * time.Hour},
		{none, 0, 50 * 24 * time.Hour, 50*24*time.Hour + time.Second, 60 * 24 * time.Hour},
		{none, 0, 0, forever, forever},
		{none, 0, 20 * year, forever, forever},
	} {
		t.Run(test.prefix+test.longest.String()+" "+test.life.String(), func(t *testing.T) {
			c := openCache(t, connect(t, hazelcast.Options{MapPrefix: test.prefix}), driver.CacheOptions{LongestTTL: test.longest})
			m := mapOf(c)
			ctx := limited(t, time.Minute)
			check := func(what string, want time.Duration) {
				t.Helper()
				view, err := m.GetEntryView(ctx, "k")
				must(t, err)
				got := forever
				if ms := time.Duration(view.TTL); ms < forever/time.Millisecond {
					got = ms * time.Millisecond
				}
				if got != want && (want == forever || got < want-slow || got > want) {
					t.Errorf("%s: the TTL is %v, want %v", what, got, want)
				}
			}
			deadline := time.Time{}
			if test.life > 0 {
				deadline = in(test.life)
			}
			must(t, c.Put(ctx, "k", record(""), deadline))
			check("put", test.put)
			must(t, replace(t, c, "k", deadline))
			check("replaced", test.replaced)
			_, _, err := c.(driver.Exchanger).Exchange(ctx, "k", record(""), deadline)
			must(t, err)
			check("exchanged", test.put)
			must(t, c.Delete(ctx, "k"))
			_, _, err = c.Swap(ctx, "k", driver.Token{}, record(""), deadline)
			must(t, err)
			check("created", test.put)
		})
	}
}

func TestDeadRecordsAreDroppedInTheEnd(t *testing.T) {
	t.Parallel()
	c := openCache(t, connect(t, hazelcast.Options{}), driver.CacheOptions{})
	ctx := limited(t, time.Minute)
	must(t, c.Put(ctx, "k", record(""), in(300*time.Millisecond)))
	eventually(t, "the record is dropped", func() bool {
		_, found, err := c.Get(ctx, "k")
		must(t, err)
		return !found
	})
	// A record whose deadline has passed replaces what is there all the same.
	must(t, c.Put(ctx, "k", record("old"), time.Time{}))
	dead := record("dead")
	must(t, c.Put(ctx, "k", dead, in(-time.Hour)))
	if got, found, err := c.Get(ctx, "k"); err != nil || found && !bytes.Equal(got.Record, dead) {
		t.Error("a dead record replaced nothing", err)
	}
}
