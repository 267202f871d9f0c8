package jcache_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A plain is what a cache should be: a map, the rules of JSR-107, and counts.
type plain struct {
	entries                map[string]plainEntry
	create, access, update jcache.Expiry
	counts                 jcache.Statistics
}

type plainEntry struct {
	value    int
	deadline time.Time // zero: never
}

const plainLife = 10 * time.Millisecond

func (p *plain) look(key string) (plainEntry, bool) {
	e, ok := p.entries[key]
	return e, ok && (e.deadline.IsZero() || time.Now().Before(e.deadline))
}

// hit is look by an operation that is a hit or a miss.
func (p *plain) hit(key string) (plainEntry, bool) {
	e, ok := p.look(key)
	if ok {
		p.counts.Hits++
	} else {
		p.counts.Misses++
	}
	return e, ok
}

func (p *plain) put(key string, value int) (stored bool) {
	e, live := p.look(key)
	answer := p.create
	if live {
		answer = p.update
	} else {
		e = plainEntry{}
	}
	e.value = value
	return p.keep(key, e, answer, live)
}

func (p *plain) keep(key string, e plainEntry, answer jcache.Expiry, live bool) bool {
	switch answer {
	case jcache.ExpireNow():
		delete(p.entries, key)
		if live { // updated, and then gone
			p.counts.Puts++
		}
		return false
	case jcache.ExpireNever():
		e.deadline = time.Time{}
	case jcache.ExpireAfter(plainLife):
		e.deadline = time.Now().Add(plainLife)
	}
	p.entries[key] = e
	p.counts.Puts++
	return true
}

func (p *plain) use(key string, e plainEntry) {
	switch p.access {
	case jcache.ExpireNow():
		delete(p.entries, key)
	case jcache.ExpireNever():
		e.deadline = time.Time{}
		p.entries[key] = e
	case jcache.ExpireAfter(plainLife):
		e.deadline = time.Now().Add(plainLife)
		p.entries[key] = e
	}
}

func (p *plain) remove(key string) bool {
	_, live := p.look(key)
	delete(p.entries, key)
	if live {
		p.counts.Removals++
	}
	return live
}

// answers is a policy that answers what a plain does.
type answers struct{ *plain }

func (a answers) OnCreate(string, int) jcache.Expiry { return a.create }

func (a answers) OnAccess(string, int) jcache.Expiry { return a.access }

func (a answers) OnUpdate(string, int) jcache.Expiry { return a.update }

// Random operations, on entries that are there, are not, and have expired, do and count what they do
// on a map by the rules of JSR-107, with each optional interface of a driver or without.
func TestStatisticsAreThoseOfAMap(t *testing.T) {
	seed := rand.Uint64()
	for round := range 200 {
		synctest.Test(t, func(t *testing.T) { testPlain(t, seed, uint64(round)) })
		if t.Failed() {
			t.Fatalf("seed %d, round %d", seed, round)
		}
	}
}

func testPlain(t *testing.T, seed, round uint64) {
	r := rand.New(rand.NewPCG(seed, round))
	conn, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var without []driver.Feature
	for _, f := range []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch, driver.FeatureClear} {
		if r.IntN(2) == 0 {
			without = append(without, f)
		}
	}
	m, err := jcache.NewManager(conn, jcache.ManagerOptions{Provider: "memory", Disable: without})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = m.Close(context.Background()) }()
	p := &plain{entries: make(map[string]plainEntry)}
	var policy jcache.ExpiryPolicy[string, int] = answers{p}
	fixed := true
	switch after := jcache.ExpireAfter(plainLife); r.IntN(6) {
	case 0:
		policy, p.create, p.access, p.update = jcache.Eternal[string, int](), jcache.ExpireNever(), jcache.KeepExpiry(), jcache.ExpireNever()
	case 1:
		policy, p.create, p.access, p.update = jcache.Touched[string, int](plainLife), after, after, after
	case 2:
		policy, p.create, p.access, p.update = jcache.Modified[string, int](plainLife), after, jcache.KeepExpiry(), after
	case 3:
		policy, p.create, p.access, p.update = jcache.Created[string, int](plainLife), after, jcache.KeepExpiry(), jcache.KeepExpiry()
	default:
		fixed = false
	}
	c, err := jcache.CreateCache(t.Context(), m, "plain", jcache.Options[string, int]{ExpiryPolicy: policy, Statistics: true})
	if err != nil {
		t.Fatal(err)
	}
	var script []string
	for range 60 {
		if !fixed {
			any := []jcache.Expiry{jcache.KeepExpiry(), jcache.ExpireNever(), jcache.ExpireNow(), jcache.ExpireAfter(plainLife)}
			p.create, p.access, p.update = any[r.IntN(4)], any[r.IntN(4)], any[r.IntN(4)]
			if p.create == jcache.KeepExpiry() {
				p.create = jcache.ExpireNever()
			}
		}
		name, got, want := step(t, r, c, p)
		script = append(script, name)
		if n := c.Statistics(); got != want || n.Hits != p.counts.Hits || n.Misses != p.counts.Misses || n.Puts != p.counts.Puts || n.Removals != p.counts.Removals {
			t.Fatalf("without %v, %v (create %v, access %v, update %v):\n got %s, %+v\nwant %s, %+v", without, script, p.create, p.access, p.update, got, n, want, p.counts)
		}
	}
}

// step does one operation on both, and returns its name and what both answered.
func step(t *testing.T, r *rand.Rand, c *jcache.Cache[string, int], p *plain) (name, got, want string) {
	ctx := t.Context()
	keys := []string{"a", "b", "c"}
	key, v, old := keys[r.IntN(3)], r.IntN(3), r.IntN(3)
	some := keys[:1+r.IntN(3)]
	say := func(what ...any) string { return fmt.Sprintln(what...) }
	live, there := plainEntry{}, false
	switch r.IntN(20) {
	case 0, 1:
		name = "put"
		got = say(c.Put(ctx, key, v))
		p.put(key, v)
		want = say(nil)
	case 2, 3:
		name = "get"
		got = say(c.Get(ctx, key))
		if live, there = p.hit(key); there {
			p.use(key, live)
		} else {
			live.value = 0
		}
		want = say(live.value, there, nil)
	case 4:
		name = "get all"
		got = say(c.GetAll(ctx, some...))
		found := make(map[string]int)
		for _, key := range some {
			if live, there = p.hit(key); there {
				p.use(key, live)
				found[key] = live.value
			}
		}
		want = say(found, nil)
	case 5:
		name = "contains key"
		got = say(c.ContainsKey(ctx, key))
		_, there = p.look(key)
		want = say(there, nil)
	case 6:
		name = "get and put"
		got = say(c.GetAndPut(ctx, key, v))
		if live, there = p.hit(key); !there {
			live.value = 0
		}
		p.put(key, v)
		want = say(live.value, there, nil)
	case 7:
		name = "put all"
		entries := make(map[string]int)
		for _, key := range some {
			entries[key] = v
			p.put(key, v)
		}
		got, want = say(c.PutAll(ctx, entries)), say(nil)
	case 8:
		name = "put if absent"
		got = say(c.PutIfAbsent(ctx, key, v))
		stored := false
		if _, there = p.hit(key); !there {
			stored = p.put(key, v)
		}
		want = say(stored, nil)
	case 9:
		name = "remove"
		got, want = say(c.Remove(ctx, key)), say(p.remove(key), nil)
	case 10:
		name = "compare and remove"
		got = say(c.CompareAndRemove(ctx, key, old))
		live, there = p.hit(key)
		if same := there && live.value == old; same {
			p.remove(key)
		} else if there {
			p.use(key, live)
		}
		want = say(there && live.value == old, nil)
	case 11:
		name = "get and remove"
		got = say(c.GetAndRemove(ctx, key))
		if live, there = p.hit(key); !there {
			live.value = 0
		}
		p.remove(key)
		want = say(live.value, there, nil)
	case 12:
		name = "replace"
		got = say(c.Replace(ctx, key, v))
		if _, there = p.hit(key); there {
			p.put(key, v)
		}
		want = say(there, nil)
	case 13:
		name = "compare and replace"
		got = say(c.CompareAndReplace(ctx, key, old, v))
		live, there = p.hit(key)
		if same := there && live.value == old; same {
			p.put(key, v)
		} else if there {
			p.use(key, live)
		}
		want = say(there && live.value == old, nil)
	case 14:
		name = "get and replace"
		got = say(c.GetAndReplace(ctx, key, v))
		if live, there = p.hit(key); there {
			p.put(key, v)
		} else {
			live.value = 0
		}
		want = say(live.value, there, nil)
	case 15:
		name = "remove keys"
		got = say(c.RemoveKeys(ctx, some...))
		for _, key := range some {
			p.remove(key)
		}
		want = say(nil)
	case 16:
		name = "remove all"
		got = say(c.RemoveAll(ctx))
		for _, key := range keys {
			p.remove(key)
		}
		want = say(nil)
	case 17:
		name = "clear"
		got, want = say(c.Clear(ctx)), say(nil)
		clear(p.entries)
	case 18:
		name, got, want = invokeStep(ctx, r, c, p, key, v)
	case 19:
		name = "wait"
		time.Sleep(plainLife + time.Millisecond)
	}
	if r.IntN(10) == 0 {
		name += ", iterate"
		var all, expected []string
		for e, err := range c.All(ctx) {
			all = append(all, say(e.Key, e.Value, err))
		}
		for _, key := range keys {
			if live, there := p.look(key); there {
				p.hit(key)
				p.use(key, live)
				expected = append(expected, say(key, live.value, nil))
			}
		}
		slices.Sort(all)
		got, want = got+say(all), want+say(expected)
	}
	return name, got, want
}

// invokeStep runs a processor that reads, sets and removes at random.
func invokeStep(ctx context.Context, r *rand.Rand, c *jcache.Cache[string, int], p *plain, key string, v int) (name, got, want string) {
	acts := make([]int, r.IntN(4))
	for i := range acts {
		acts[i] = r.IntN(3)
	}
	_, err := jcache.Invoke(ctx, c, key, func(_ context.Context, e *jcache.MutableEntry[string, int]) (int, error) {
		for _, act := range acts {
			switch act {
			case 0:
				_, _, _ = e.Value()
			case 1:
				e.SetValue(v)
			case 2:
				e.Remove()
			}
		}
		return 0, nil
	})
	got, want = fmt.Sprintln(err), fmt.Sprintln(nil)
	live, there := p.hit(key)
	read, state := false, 0
	for _, act := range acts {
		switch {
		case act == 0 && state == 0 && there:
			read = true
		case act > 0:
			state = act
		}
	}
	switch {
	case state == 1:
		p.put(key, v)
	case state == 2:
		p.remove(key)
	case read:
		p.use(key, live)
	}
	return fmt.Sprint("invoke ", acts), got, want
}
