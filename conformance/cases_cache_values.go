package conformance

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A basket is a value with everything that can be shared by mistake.
type basket struct {
	Owner string
	Items []string
	Count map[string]int
	Notes *string
}

func newBasket() *basket {
	note := "a note"
	return &basket{"owner", []string{"one", "two"}, map[string]int{"one": 1}, &note}
}

func (b *basket) spoil() {
	b.Owner, b.Items[0], b.Count["one"], *b.Notes = "spoilt", "spoilt", 99, "spoilt"
}

const ruleByValue = "Changing a value that was put or returned does not change the cache."

var valueCases = []testCase{
	{
		name:   "values/what is put is copied",
		rule:   ruleByValue,
		source: "JSR-107: store by value",
		uses:   []driver.Feature{driver.FeatureBatchPut, driver.FeatureExchange},
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, *basket]{})
			puts := []struct {
				name string
				put  func(v *basket) error
			}{
				{"put", func(v *basket) error { return c.Put(e.ctx, key, v) }},
				{"getAndPut", func(v *basket) error { _, _, err := c.GetAndPut(e.ctx, key, v); return err }},
				{"putAll", func(v *basket) error { return c.PutAll(e.ctx, map[string]*basket{key: v, otherKey: v}) }},
				{"replace", func(v *basket) error { _, err := c.Replace(e.ctx, key, v); return err }},
				{"getAndReplace", func(v *basket) error { _, _, err := c.GetAndReplace(e.ctx, key, v); return err }},
				{"compareAndReplace", func(v *basket) error { _, err := c.CompareAndReplace(e.ctx, key, newBasket(), v); return err }},
				{"invoke", func(v *basket) error {
					_, err := jcache.Invoke(e.ctx, c, key, func(_ context.Context, m *jcache.MutableEntry[string, *basket]) (int, error) {
						m.SetValue(v)
						return 0, nil
					})
					return err
				}},
				{"remove and putIfAbsent", func(v *basket) error {
					e.yes(c.Remove(e.ctx, key))
					_, err := c.PutIfAbsent(e.ctx, key, v)
					return err
				}},
			}
			for _, p := range puts {
				v := newBasket()
				e.ok(p.put(v))
				v.spoil()
				got, _, err := c.Get(e.ctx, key)
				e.ok(err)
				e.equal("the value in the cache after "+p.name, got, newBasket())
			}
		},
	},
	{
		name:   "values/what is returned is a copy",
		rule:   ruleByValue,
		source: "JSR-107: store by value",
		uses:   usesBatchGet,
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, *basket]{})
			gets := []struct {
				name string
				get  func() (*basket, error)
			}{
				{"get", func() (*basket, error) { v, _, err := c.Get(e.ctx, key); return v, err }},
				{"getEntry", func() (*basket, error) { v, _, err := c.GetEntry(e.ctx, key); return v.Value, err }},
				{"getAll", func() (*basket, error) { v, err := c.GetAll(e.ctx, key, otherKey); return v[key], err }},
				{"getAndPut", func() (*basket, error) { v, _, err := c.GetAndPut(e.ctx, key, newBasket()); return v, err }},
				{"getAndReplace", func() (*basket, error) { v, _, err := c.GetAndReplace(e.ctx, key, newBasket()); return v, err }},
				{"invoke", func() (*basket, error) {
					return jcache.Invoke(e.ctx, c, key, func(_ context.Context, m *jcache.MutableEntry[string, *basket]) (*basket, error) {
						v, _, err := m.Value()
						return v, err
					})
				}},
			}
			e.ok(c.Put(e.ctx, key, newBasket()))
			for _, g := range gets {
				v, err := g.get()
				e.ok(err)
				if v == nil {
					e.Fatalf("%s returned nothing", g.name)
				}
				v.spoil()
				got, _, err := c.Get(e.ctx, key)
				e.ok(err)
				e.equal("the value in the cache after a change to what "+g.name+" returned", got, newBasket())
			}
		},
	},
	{
		name:   "values/equality",
		rule:   "Values are equal if their encodings are, or if reflect.DeepEqual says so; with Options.Equal, if that says so.",
		source: "jcache.Options.Equal; JSR-107: Cache.remove(key, oldValue)",
		uses:   usesTouch,
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, *basket]{})
			e.ok(c.Put(e.ctx, key, newBasket()))
			other := newBasket()
			other.Count["two"] = 2
			e.equal("replaced an unequal value", e.yes(c.CompareAndReplace(e.ctx, key, other, other)), false)
			e.equal("replaced an equal value", e.yes(c.CompareAndReplace(e.ctx, key, newBasket(), other)), true)
			e.equal("removed an unequal value", e.yes(c.CompareAndRemove(e.ctx, key, newBasket())), false)
			e.equal("removed an equal value", e.yes(c.CompareAndRemove(e.ctx, key, other)), true)

			folding := createCache(e, e.manager(0), e.name, jcache.Options[string, string]{Equal: strings.EqualFold})
			e.ok(folding.Put(e.ctx, key, "Hello"))
			e.equal("replaced a value that Equal calls equal", e.yes(folding.CompareAndReplace(e.ctx, key, "hELLO", "World")), true)
			e.equal("removed a value that Equal calls unequal", e.yes(folding.CompareAndRemove(e.ctx, key, "hello")), false)
		},
	},
	{
		name:   "values/types of keys and values",
		rule:   "A Cache maps keys to values of any types.",
		source: "package jcache; JSR-107: Cache",
		run: func(e *env) {
			type point struct{ X, Y int }
			type name string
			m := e.manager(0)
			roundTrip(e, m, "", "empty")
			roundTrip(e, m, "ключ 鍵 \x00\xff", []byte{0, 1, 255})
			roundTrip(e, m, math.MinInt, math.MinInt)
			roundTrip(e, m, uint8(200), uint64(math.MaxUint64))
			roundTrip(e, m, point{-1, 7}, []point{{1, 2}, {3, 4}})
			roundTrip(e, m, name("n"), map[name]point{"a": {5, 6}})
			roundTrip(e, m, [2]string{"a", "b"}, time.Date(2026, 2, 3, 4, 5, 6, 789, time.UTC))
			roundTrip(e, m, true, 1.5)
			roundTrip(e, m, 2.5, time.Hour)
			roundTrip(e, m, any("any"), any(uint16(9)))
		},
	},
	{
		name:   "values/every string is a key",
		rule:   "Every string is a key of its own, the empty one and those that begin with a zero byte included.",
		source: "package jcache, Keys and values",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange},
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			keys := []string{"", "\x00", "\x00\x00", "\x00k", "k", " ", "\xff"}
			entries := make(map[string]string, len(keys))
			for i, k := range keys {
				entries[k] = strconv.Itoa(i)
			}
			e.ok(c.PutAll(e.ctx, entries))
			found, err := c.GetAll(e.ctx, keys...)
			e.ok(err)
			e.equal("getAll", found, entries)
			for k, value := range entries {
				e.equal("get", e.value(c.Get(e.ctx, k)), value)
				value += "+"
				e.ok(c.Put(e.ctx, k, value))
				entries[k] = value
			}
			if iterating.met(e.suite.features.Without(e.disabled...)) {
				all := make(map[string]string)
				for entry, err := range c.All(e.ctx) {
					e.ok(err)
					all[entry.Key] += entry.Value
				}
				e.equal("iteration", all, entries)
			}
			for _, k := range keys {
				e.equal("removed", e.yes(c.Remove(e.ctx, k)), true)
				delete(entries, k)
				found, err := c.GetAll(e.ctx, keys...)
				e.ok(err)
				e.equal("what is left", found, entries)
			}
		},
	},
	{
		name:   "values/too large",
		rule:   "The key or value exceeds what the provider takes: ErrTooLarge, and nothing was changed.",
		source: "jcache.ErrTooLarge",
		uses:   []driver.Feature{driver.FeatureBatchPut, driver.FeatureExchange},
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, []byte]{})
			e.ok(c.Put(e.ctx, key, []byte(oldValue)))
			if limit := e.suite.info.MaxKeyBytes; limit > 0 {
				long := strings.Repeat("k", limit+1)
				e.is("a long key", c.Put(e.ctx, long, nil), jcache.ErrTooLarge)
				_, _, err := c.Get(e.ctx, long)
				e.is("a long key", err, jcache.ErrTooLarge)
			}
			limit := e.suite.info.MaxRecordBytes
			if limit == 0 || limit > 64<<20 {
				return
			}
			large := make([]byte, limit)
			_, _, getAndPut := c.GetAndPut(e.ctx, key, large)
			_, putIfAbsent := c.PutIfAbsent(e.ctx, otherKey, large)
			_, replace := c.Replace(e.ctx, key, large)
			putAll := c.PutAll(e.ctx, map[string][]byte{key: large, otherKey: large})
			for what, err := range map[string]error{
				"put": c.Put(e.ctx, key, large), "getAndPut": getAndPut, "putIfAbsent": putIfAbsent, "replace": replace, "putAll": putAll,
			} {
				e.is(what+" of a large value", err, jcache.ErrTooLarge)
			}
			got, _, err := c.Get(e.ctx, key)
			e.ok(err)
			e.equal("afterwards", string(got), oldValue)
			const tag = 1 // of the encoding
			e.is("a value of one byte too much", c.Put(e.ctx, key, large[:c.MaxValueBytes()-tag+1]), jcache.ErrTooLarge)
		},
	},
}

// roundTrip stores a value and finds it again, by its key and by iteration.
func roundTrip[K comparable, V any](e *env, m *jcache.CacheManager, k K, v V) {
	kind := fmt.Sprintf("%T to %T", k, v)
	c := createCache(e, m, fmt.Sprintf("%s-%08x", e.name, e.random.Uint32()), jcache.Options[K, V]{})
	e.ok(c.Put(e.ctx, k, v))
	got, ok, err := c.Get(e.ctx, k)
	e.ok(err)
	e.equal("found, "+kind, ok, true)
	e.equal("the value, "+kind, got, v)
	all, err := c.GetAll(e.ctx, k)
	e.ok(err)
	e.equal("the value by getAll, "+kind, all, map[K]V{k: v})
	if !iterating.met(e.suite.features.Without(e.disabled...)) {
		return
	}
	n := 0
	for entry, err := range c.All(e.ctx) {
		e.ok(err)
		e.equal("the key by iteration, "+kind, entry.Key, k)
		e.equal("the value by iteration, "+kind, entry.Value, v)
		n++
	}
	e.equal("entries by iteration, "+kind, n, 1)
}
