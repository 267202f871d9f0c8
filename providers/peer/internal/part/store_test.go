package part_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A model is what a cache should be.
type model map[string]modelled

type modelled struct {
	record   string
	version  part.Version
	deadline int64
}

// A replica alone behaves like a map with deadlines, reports every expiry once, and gives
// all memory back.
func TestStoreAgainstModel(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		budget := &part.Budget{Max: 1 << 40}
		l := newLab(t, part.Options{Memory: budget, TombstoneAge: time.Minute})
		l.t = fataler{t, rt}
		caches := map[string]model{"a": {}, "b": {}}
		expired := map[string]int{} // how often a key of a cache expired
		reported := func(id string) (n int) {
			for _, e := range l.events {
				if e.Cause == part.ByExpiry && e.Cache+e.Key == id {
					n++
				}
			}
			return n
		}
		step := 0
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			step++
			cache := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "cache")
			m := caches[cache]
			key := rapid.SampledFrom([]string{"k0", "k1", "k2", "k3"}).Draw(rt, "key")
			ttl := time.Duration(rapid.SampledFrom([]int{0, 0, 1, 40, 700, 3000, 90_000, 400_000}).Draw(rt, "ttl")) * time.Millisecond
			req := part.Request{Cache: cache, Key: key, TTL: ttl}
			value := fmt.Sprint("value", step)
			now, had := m[key]
			op := rapid.IntRange(0, 9).Draw(rt, "op")
			if op <= 6 && had && now.deadline != 0 && now.deadline <= l.mono {
				delete(m, key)
				expired[cache+key]++
				now, had = modelled{}, false
			}
			put := func(version part.Version) {
				if version <= now.version {
					rt.Fatalf("version %d follows %d", version, now.version)
				}
				n := modelled{record: value, version: version}
				if ttl != 0 {
					n.deadline = l.mono + int64(ttl)
				}
				m[key] = n
			}
			check := func(res part.Result, status part.Status) {
				if res.Status != status {
					rt.Fatalf("%+v: status %d, want %d", req, res.Status, status)
				}
			}
			present := func(f part.Found) {
				var left time.Duration
				if now.deadline != 0 {
					left = time.Duration(now.deadline - l.mono)
				}
				if f.OK != had || string(f.Record) != now.record || f.Version != now.version || f.Left != left {
					rt.Fatalf("%+v: found %+v, want %+v", req, f, now)
				}
			}
			switch op {
			case 0:
				req.Kind = part.Get
				present(l.do(1, req).Present)
				if f, status := l.replicas[1].Get(l.now(), cache, key); status == part.OK {
					present(f)
				} else {
					rt.Fatalf("at rest Get says %d", status)
				}
			case 1, 2:
				req.Kind, req.Record = part.Put, []byte(value)
				res := l.do(1, req)
				check(res, part.OK)
				put(res.Version)
			case 3:
				req.Kind = part.Delete
				present(l.do(1, req).Present)
				delete(m, key)
			case 4:
				req.Kind, req.Record = part.Exchange, []byte(value)
				res := l.do(1, req)
				present(res.Present)
				put(res.Version)
			case 5:
				req.Kind, req.Record = part.Swap, []byte(value)
				if req.Token = now.version; rapid.Bool().Draw(rt, "stale") {
					req.Token++
				}
				res := l.do(1, req)
				if req.Token == now.version {
					check(res, part.OK)
					put(res.Version)
				} else {
					check(res, part.NotSwapped)
					present(res.Present)
				}
			case 6:
				req.Kind = part.Touch
				if req.Token = now.version; rapid.Bool().Draw(rt, "stale") {
					req.Token++
				}
				res := l.do(1, req)
				if !had || req.Token != now.version {
					check(res, part.NotSwapped)
					break
				}
				check(res, part.OK)
				if now.deadline = 0; ttl != 0 {
					now.deadline = l.mono + int64(ttl)
				}
				m[key] = now
			case 7:
				req.Kind, req.Key = part.Clear, ""
				check(l.do(1, req), part.OK)
				for k, e := range m { // one that has expired may be reported, or cleared before
					if e.deadline != 0 && e.deadline <= l.mono && reported(cache+k) > expired[cache+k] {
						expired[cache+k]++
					}
					delete(m, k)
				}
			default:
				l.tick(time.Duration(rapid.SampledFrom([]int{1, 100, 5000, 200_000}).Draw(rt, "wait")) * time.Millisecond)
			}
		}
		l.tick(2 * time.Second)
		live := 0
		for cache, m := range caches {
			for key, e := range m {
				if e.deadline != 0 && e.deadline <= l.mono && reported(cache+key) > expired[cache+key] {
					expired[cache+key]++
					delete(m, key)
				}
			}
			live += len(m)
		}
		if s := l.replicas[1].Stats(); s.Entries != live {
			rt.Fatalf("%d entries, want %d", s.Entries, live)
		}
		for id, want := range expired {
			if got := reported(id); got != want {
				rt.Fatalf("%d expiries of %s are reported, want %d", got, id, want)
			}
		}
		if got := l.replicas[1].Stats().Bytes; got != budget.Used() {
			rt.Fatalf("the budget has %d bytes, the replica %d", budget.Used(), got)
		}
		for cache, m := range caches {
			for key := range m {
				l.do(1, part.Request{Kind: part.Delete, Cache: cache, Key: key})
			}
		}
		l.tick(time.Minute + time.Second)
		if s := l.replicas[1].Stats(); s.Bytes != 0 || s.Tombstones != 0 || s.Digest != 0 || budget.Used() != 0 {
			rt.Fatalf("in the end there is %+v", s)
		}
	})
}

// fataler ends a run of rapid, not the test.
type fataler struct {
	testing.TB
	rt *rapid.T
}

func (f fataler) Fatalf(format string, args ...any) { f.rt.Fatalf(format, args...) }

func TestTombstonesAreBounded(t *testing.T) {
	l := newLab(t, part.Options{Tombstones: 10})
	for i := range 1000 {
		l.put(1, fmt.Sprint(i), "record", 0)
		l.do(1, part.Request{Kind: part.Delete, Cache: "cache", Key: fmt.Sprint(i)})
		if i%100 == 0 {
			l.tick(50 * time.Millisecond)
		}
	}
	for range 5 {
		l.tick(50 * time.Millisecond)
	}
	if s := l.replicas[1].Stats(); s.Tombstones != 10 {
		t.Errorf("%d tombstones are kept, want 10", s.Tombstones)
	}
}

func TestMemoryIsBounded(t *testing.T) {
	for _, evict := range []bool{false, true} {
		t.Run(fmt.Sprint("evict=", evict), func(t *testing.T) {
			budget := &part.Budget{Max: 100 << 10}
			o := part.Options{Memory: budget}
			if evict {
				o.Evicts = func(string) bool { return true }
			}
			l := newLab(t, o)
			l.add(2, part.Options{})
			l.teach(2)
			refused := 0
			for i := range 1000 {
				key := fmt.Sprint(i)
				res := l.do(1, part.Request{Kind: part.Put, Cache: "cache", Key: key, Record: make([]byte, 500)})
				if budget.Used() > budget.Max {
					t.Fatalf("%d bytes are used, %d are allowed", budget.Used(), budget.Max)
				}
				switch res.Status {
				case part.NoSpace:
					refused++
					if l.get(1, key) != "" {
						t.Fatal("what was refused is there")
					}
				case part.OK:
					l.mono += int64(time.Second)
					if evict { // key 0 is used all the time
						if l.get(1, "0") == "" {
							t.Fatalf("the key that is used most was evicted at %d", i)
						}
					}
				default:
					t.Fatalf("status %d", res.Status)
				}
			}
			if evict == (refused > 0) {
				t.Errorf("%d were refused", refused)
			}
			l.tick(time.Second)
			l.deliver()
			l.same(1, 2)
			if s := l.replicas[1].Stats(); s.Entries < 100 || s.Bytes != budget.Used() {
				t.Errorf("%+v, used %d", s, budget.Used())
			}
			if s := l.replicas[2].Stats(); evict && s.Tombstones > 0 {
				t.Errorf("evictions leave tombstones: %+v", s)
			}
		})
	}
}
