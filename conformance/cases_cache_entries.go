package conformance

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// entryCases are about which entries an operation reaches.
var entryCases = []testCase{
	{
		name:   "entries/every operation reaches the same entry",
		rule:   "A write is seen by every later operation on its key, in any process that shares the entries.",
		source: "package jcache, Consistency; JSR-107: Cache, default consistency",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange},
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, string]{})
			writes := []string{"put", "putAll", "getAndPut", "replace", "compareAndReplace", "getAndReplace", "invoke set", "invokeRegistered set", "invokeAll set", "invokeEntry set"}
			reads := []string{"get", "getEntry", "getAll", "invoke value", "invokeRegistered value", "invokeAll value"}
			removals := []string{"remove", "removeKeys", "getAndRemove", "compareAndRemove", "invoke remove", "invokeRegistered remove"}
			keys := []string{key, otherKey}
			for round := range 5 {
				last := fmt.Sprint(valueMark, round, ".first")
				e.ok(a.Put(e.ctx, key, last))
				for i, w := range writes {
					value := fmt.Sprint(valueMark, round, ".", i)
					_, err := operationNamed(w).run(e.ctx, a, keys[:1], value, last)
					e.ok(err)
					last = value
					for _, r := range reads {
						got, err := operationNamed(r).run(e.ctx, b, keys[:1], "", "")
						e.ok(err)
						e.equal(r+" by another client after "+w, got, value)
					}
				}
				removal := removals[round]
				_, err := operationNamed(removal).run(e.ctx, b, keys[:1], "", last)
				e.ok(err)
				for _, r := range reads {
					got, err := operationNamed(r).run(e.ctx, a, keys[:1], "", "")
					e.ok(err)
					e.equal(r+" by another client after "+removal, got, absent)
				}
			}
		},
	},
	{
		name:   "entries/many keys",
		rule:   "getAll returns only the requested keys that are present; putAll stores every mapping; removeAll(keys) removes those keys and keeps the others.",
		source: "JSR-107: Cache.getAll, putAll, removeAll(keys)",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut},
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, string]{})
			all := manyKeys(150)
			e.ok(a.PutAll(e.ctx, all))
			keys := slices.Sorted(maps.Keys(all))
			got, err := b.GetAll(e.ctx, slices.Concat(keys, []string{otherKey}, keys[:2])...)
			e.ok(err)
			if !maps.Equal(got, all) {
				e.Errorf("of %d entries getAll returned %d, or others", len(all), len(got))
			}
			e.ok(b.RemoveKeys(e.ctx, slices.Concat(keys[:100], []string{otherKey}, keys[:1])...))
			got, err = a.GetAll(e.ctx, keys...)
			e.ok(err)
			e.equal("entries left of 150 after removing 100", len(got), 50)
			for _, k := range keys[:100] {
				if _, ok := got[k]; ok {
					e.Errorf("an entry was returned that was removed")
				}
			}
		},
	},
	{
		name:   "entries/no keys",
		rule:   "A bulk operation without keys does nothing and is no error.",
		source: "JSR-107: Cache.getAll, putAll, removeAll(keys), invokeAll",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut},
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			got, err := c.GetAll(e.ctx)
			e.ok(err)
			e.equal("getAll of no keys", len(got), 0)
			e.ok(c.PutAll(e.ctx, nil))
			e.ok(c.RemoveKeys(e.ctx))
			results, err := jcache.InvokeAll(e.ctx, c, nil, readValue)
			e.ok(err)
			e.equal("invokeAll of no keys", len(results), 0)
			e.equal("another key", e.value(c.Get(e.ctx, key)), oldValue)
		},
	},
	{
		name:   "entries/clear and removeAll",
		rule:   "clear and removeAll leave no entry, for any client, and what is put later stays.",
		source: "JSR-107: Cache.clear, Cache.removeAll()",
		needs:  emptying,
		uses:   usesClear,
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, string]{})
			for _, empty := range []func() error{func() error { return a.Clear(e.ctx) }, func() error { return b.RemoveAll(e.ctx) }} {
				all := manyKeys(60)
				e.ok(a.PutAll(e.ctx, all))
				e.ok(empty())
				got, err := b.GetAll(e.ctx, slices.Collect(maps.Keys(all))...)
				e.ok(err)
				e.equal("entries left", len(got), 0)
				e.equal("putIfAbsent where an entry was cleared", e.yes(b.PutIfAbsent(e.ctx, key, newValue)), true)
				e.equal("read afterwards", e.value(a.Get(e.ctx, key)), newValue)
			}
		},
	},
	{
		name:   "entries/size",
		rule:   "Size returns the number of entries.",
		source: "jcache.Cache.Size",
		needs:  counting,
		uses:   []driver.Feature{driver.FeatureSize, driver.FeatureScan},
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, string]{})
			size := func() int {
				n, err := b.Size(e.ctx)
				e.ok(err)
				return n
			}
			e.equal("of an empty cache", size(), 0)
			e.ok(a.PutAll(e.ctx, manyKeys(70)))
			e.equal("after 70 puts", size(), 70)
			e.ok(a.RemoveKeys(e.ctx, keyMark+"0001", otherKey))
			e.ok(a.Put(e.ctx, keyMark+"0002", newValue))
			e.equal("after a removal", size(), 69)
		},
	},
	{
		name:   "entries/local and unwrap",
		rule:   "Local, Placement and Unwrap cost nothing and work on every provider; a key that is served is not said to be unavailable; where the provider has nothing to show, Unwrap returns nil.",
		source: "JSR-107: Cache.unwrap",
		uses:   []driver.Feature{driver.FeatureLocality, driver.FeatureUnwrap},
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			f := e.suite.features.Without(e.disabled...)
			e.equal("Unwrap returned something", c.Unwrap() != nil, f.Unwrapper != nil)
			local, known := c.Local(key)
			e.equal("it is known whether a key is local", known, f.Locality != nil)
			if again, _ := c.Local(key); again != local || local && !known {
				e.Errorf("Local changes its mind at once, or says what it does not know")
			}
			switch p := c.Placement(key); {
			case p > jcache.Unavailable:
				e.Errorf("Placement is %d, which is none", p)
			case p == jcache.Unavailable:
				e.Errorf("the key is unavailable, but it was not: nothing failed")
			case !known && p != jcache.Anywhere, known && local != (p == jcache.Local):
				e.Errorf("Placement is %d, and Local says %v, %v", p, local, known)
			}
		},
	},
}

var iterationCases = []testCase{
	{
		name:   "iterate/visits every entry once",
		rule:   "Iteration visits every entry once with the right key and value.",
		source: "JSR-107: Cache.iterator",
		needs:  iterating,
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, string]{})
			all := manyKeys(130)
			e.ok(a.PutAll(e.ctx, all))
			got := make(map[string]string)
			for entry, err := range b.All(e.ctx) {
				e.ok(err)
				if _, twice := got[entry.Key]; twice {
					e.Errorf("an entry was visited twice")
				}
				got[entry.Key] = entry.Value
			}
			if !maps.Equal(got, all) {
				e.Errorf("of %d entries %d were visited, or others", len(all), len(got))
			}
		},
	},
	{
		name:   "iterate/the loop body may call the cache",
		rule:   "Removing entries during iteration works; the loop body may call the cache.",
		source: "JSR-107: Cache.iterator",
		needs:  iterating,
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.PutAll(e.ctx, manyKeys(40)))
			visited := 0
			for entry, err := range c.All(e.ctx) {
				e.ok(err)
				visited++
				e.equal("removed", e.yes(c.CompareAndRemove(e.ctx, entry.Key, entry.Value)), true)
			}
			e.equal("visited", visited, 40)
			for range c.All(e.ctx) {
				e.Errorf("an entry is left")
			}
		},
	},
	{
		name:   "iterate/entries can be invoked",
		rule:   "InvokeEntry is Invoke for an entry that GetEntry or All returned.",
		source: "jcache.InvokeEntry",
		needs:  iterating,
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.PutAll(e.ctx, manyKeys(20)))
			for entry, err := range c.All(e.ctx) {
				e.ok(err)
				_, err := jcache.InvokeEntry(e.ctx, c, entry, func(_ context.Context, m *stringEntry) (string, error) {
					m.SetValue(m.Key() + " was here")
					return "", nil
				})
				e.ok(err)
			}
			for entry, err := range c.All(e.ctx) {
				e.ok(err)
				e.equal("the value", entry.Value, entry.Key+" was here")
			}
		},
	},
	{
		name:   "iterate/leaving early is no access",
		rule:   "Each entry is accessed when it is returned, and not before.",
		source: "JSR-107: Cache.iterator",
		needs:  iterating,
		uses:   usesTouch,
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.PutAll(e.ctx, manyKeys(30)))
			p := counted("never", answers{access: jcache.ExpireNever()})
			for _, err := range c.WithExpiryPolicy(p.policy).All(e.ctx) {
				e.ok(err)
				break
			}
			e.equal("accesses", p.counts.access.Load(), int64(1))
		},
	},
}

func operationNamed(name string) operation {
	return operations[slices.IndexFunc(operations, func(o operation) bool { return o.name == name })]
}
