package conformance

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

var invokeCases = []testCase{
	{
		name:   "invoke/sees its own changes",
		rule:   "Inside a processor each read sees the latest change; the last one takes effect.",
		source: "JSR-107: MutableEntry",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			for _, start := range []string{absent, oldValue} {
				if start != absent {
					e.ok(c.Put(e.ctx, key, start))
				}
				_, err := jcache.Invoke(e.ctx, c, key, func(_ context.Context, m *stringEntry) (string, error) {
					see := func(what, want string) {
						e.equal("exists "+what, m.Exists(), want != absent)
						got, err := valueOf(m)
						e.ok(err)
						e.equal("value "+what, got, want)
					}
					e.equal("the key", m.Key(), key)
					see("at first", start)
					m.SetValue("1")
					see("after set", "1")
					m.Remove()
					see("after remove", absent)
					m.SetValue("2")
					m.SetValue(newValue)
					see("at last", newValue)
					return "", nil
				})
				e.ok(err)
				e.equal("afterwards", e.value(c.Get(e.ctx, key)), newValue)
				e.yes(c.Remove(e.ctx, key))
			}
		},
	},
	{
		name:   "invoke/result of any type",
		rule:   "A processor returns a result of a type of its own.",
		source: "JSR-107: Cache.invoke",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, "12345"))
			n, err := jcache.Invoke(e.ctx, c, key, func(_ context.Context, m *stringEntry) (map[string]int, error) {
				value, err := valueOf(m)
				return map[string]int{"length": len(value)}, err
			})
			e.ok(err)
			e.equal("the result", n, map[string]int{"length": 5})
		},
	},
	{
		name:   "invoke/a failing processor changes nothing",
		rule:   "An error leaves the entry as it was, and its cause is kept.",
		source: "JSR-107: EntryProcessorException",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			result, err := jcache.Invoke(e.ctx, c, key, func(_ context.Context, m *stringEntry) (int, error) {
				m.SetValue(newValue)
				return 5, fmt.Errorf("for a reason: %w", errRefused)
			})
			e.is("the error", err, errRefused)
			e.equal("the result of a failure", result, 0)
			e.equal("afterwards", e.value(c.Get(e.ctx, key)), oldValue)
		},
	},
	{
		name:   "invoke/a panicking processor changes nothing",
		rule:   "A panic of a processor leaves the entry as it was and the key free.",
		source: "jcache.Processor",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			panics := func(_ context.Context, m *stringEntry) (int, error) {
				m.SetValue(newValue)
				panic(errRefused)
			}
			calls := []func(){func() { _, _ = jcache.Invoke(e.ctx, c, key, panics) }}
			if locking.met(e.suite.features.Without(e.disabled...)) {
				calls = append(calls, func() { _, _ = jcache.InvokeExclusive(e.ctx, c, key, lockLease, panics) })
			}
			for _, call := range calls {
				func() {
					defer func() { e.equal("the panic", recover(), errRefused) }()
					call()
				}()
				e.equal("afterwards", e.value(c.Get(e.ctx, key)), oldValue)
				e.ok(c.Put(e.ctx, key, oldValue))
				for _, name := range []string{"invoke value", "invokeExclusive value"} {
					if op := operationNamed(name); op.needs.met(e.suite.features.Without(e.disabled...)) {
						ctx, cancel := context.WithTimeout(e.ctx, lockLease/4)
						result, err := op.run(ctx, c, []string{key}, "", "")
						cancel()
						e.ok(err)
						e.equal(name+" afterwards", result, oldValue)
					}
				}
			}
		},
	},
	{
		name:   "invoke/on what GetEntry read",
		rule:   "The processor's first run sees the entry as it was read then; if it has been changed meanwhile, the processor runs again on what is there.",
		source: "jcache.InvokeEntry",
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, string]{})
			var seen []string
			appendTo := func(entry jcache.Entry[string, string]) {
				_, err := jcache.InvokeEntry(e.ctx, a, entry, func(_ context.Context, m *stringEntry) (string, error) {
					value, err := valueOf(m)
					seen = append(seen, value)
					m.SetValue(value + "+")
					return "", err
				})
				e.ok(err)
			}
			entry := func() jcache.Entry[string, string] {
				entry, _, err := a.GetEntry(e.ctx, key)
				e.ok(err)
				return entry
			}
			old := entry()
			appendTo(old) // of an entry that is not there, and still is not
			appendTo(old) // by now it is
			appendTo(entry())
			changed := entry()
			e.ok(b.Put(e.ctx, key, "b"))
			appendTo(changed)
			removed := entry()
			e.yes(b.Remove(e.ctx, key))
			appendTo(removed)
			appendTo(jcache.Entry[string, string]{Key: key}) // made by hand
			e.equal("what the processor saw", strings.Join(seen, " "), "absent absent absent+ absent++ absent+++ b b+ absent absent+")
			e.equal("afterwards", e.value(b.Get(e.ctx, key)), "absent++")
		},
	},
	{
		name:   "invoke/on an entry that has expired since it was read",
		rule:   "An expired entry is absent to every operation.",
		source: "jcache.InvokeEntry; package jcache, Expiry",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{ExpiryPolicy: jcache.Created[string, string](40 * time.Millisecond)})
			e.ok(c.Put(e.ctx, key, oldValue))
			entry, ok, err := c.GetEntry(e.ctx, key)
			e.ok(err)
			if !ok {
				return // a slow machine
			}
			e.wait(entry.Deadline.Add(2 * time.Millisecond))
			got, err := jcache.InvokeEntry(e.ctx, c, entry, readValue)
			e.ok(err)
			e.equal("what the processor saw", got, absent)
		},
	},
	{
		name:   "invokeAll/one result for each key",
		rule:   "invokeAll returns each key's result; a failure is kept in its key's result and fails no other.",
		source: "JSR-107: Cache.invokeAll",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			all := manyKeys(60)
			e.ok(c.PutAll(e.ctx, all))
			keys := []string{otherKey, ""}
			for k := range all {
				keys = append(keys, k)
			}
			results, err := jcache.InvokeAll(e.ctx, c, append(keys, keys...), func(_ context.Context, m *stringEntry) (string, error) {
				value, err := valueOf(m)
				if strings.HasSuffix(value, "5") {
					err = errRefused
				}
				m.SetValue(value + "+")
				return value, err
			})
			e.ok(err)
			e.equal("results", len(results), len(keys))
			e.equal("of the empty key", results[""].Value, absent)
			e.equal("of a key without an entry", results[otherKey].Value, absent)
			for k, value := range all {
				want := value + "+"
				if strings.HasSuffix(value, "5") {
					e.is("of a key whose processor fails", results[k].Err, errRefused)
					want = value
				} else {
					e.ok(results[k].Err)
					e.equal("of a key", results[k].Value, value)
				}
				e.equal("afterwards", e.value(c.Get(e.ctx, k)), want)
			}
		},
	},
	{
		name:   "invokeAll/a panic is the error of its key",
		rule:   "A processor that panics has failed for its key, with an error that matches ErrProcessor and ErrPanic and tells no value; that entry stays as it was, and the others are processed.",
		source: "jcache.InvokeAll",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			results, err := jcache.InvokeAll(e.ctx, c, []string{key, otherKey}, func(_ context.Context, m *stringEntry) (string, error) {
				value, err := valueOf(m)
				m.SetValue(newValue)
				if m.Key() == key {
					panic(value)
				}
				return value, err
			})
			e.ok(err)
			e.is("of the key whose processor panics", results[key].Err, jcache.ErrProcessor)
			e.is("of the key whose processor panics", results[key].Err, jcache.ErrPanic)
			checkError(e, "of the key whose processor panics", results[key].Err)
			e.ok(results[otherKey].Err)
			e.equal("its entry", e.value(c.Get(e.ctx, key)), oldValue)
			e.equal("another entry", e.value(c.Get(e.ctx, otherKey)), newValue)
		},
	},
	{
		name:   "invokeExclusive/runs once",
		rule:   "The processor runs once, as long as every other writer of the key uses InvokeExclusive too.",
		source: "jcache.InvokeExclusive",
		needs:  locking,
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, int]{})
			const goroutines, each = 4, 8
			var runs atomic.Int64
			e.parallel(goroutines, func(i int) {
				c := [2]*jcache.Cache[string, int]{a, b}[i%2]
				for range each {
					_, err := jcache.InvokeExclusive(e.ctx, c, key, lockLease, func(_ context.Context, m *jcache.MutableEntry[string, int]) (int, error) {
						runs.Add(1)
						n, _, err := m.Value()
						m.SetValue(n + 1)
						return n, err
					})
					e.ok(err)
				}
			})
			e.equal("runs of the processor", runs.Load(), int64(goroutines*each))
			n, _, err := a.Get(e.ctx, key)
			e.ok(err)
			e.equal("the sum", n, goroutines*each)
		},
	},
}

// increment is the processor of the cases that count.
func increment(_ context.Context, m *jcache.MutableEntry[string, int]) (int, error) {
	n, _, err := m.Value()
	m.SetValue(n + 1)
	return n + 1, err
}
