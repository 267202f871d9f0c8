package conformance

import (
	"context"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

const ruleExact = "Deadlines are exact to a millisecond on every provider, however coarse its own clock is."

// cacheExpiryCases wait for entries to expire.
func cacheExpiryCases() []testCase {
	cases := []testCase{
		{
			name:   "expiry/what is over at once is not stored",
			rule:   "ExpireNow makes the entry expire at once. A new entry is then not stored at all.",
			source: "jcache.ExpireNow; JSR-107: Duration.ZERO",
			run: func(e *env) {
				c := newCache(e, jcache.Options[string, string]{ExpiryPolicy: jcache.Created[string, string](0)})
				e.ok(c.Put(e.ctx, key, newValue))
				e.equal("after put", e.value(c.Get(e.ctx, key)), absent)
				e.equal("putIfAbsent", e.yes(c.PutIfAbsent(e.ctx, key, newValue)), false)
				e.equal("contained", e.yes(c.ContainsKey(e.ctx, key)), false)
				e.equal("remove", e.yes(c.Remove(e.ctx, key)), false)
			},
		},
		{
			name:   "expiry/short and long durations",
			rule:   "Sub-second and over-30-day durations behave the same on every provider.",
			source: "package jcache, Expiry",
			run: func(e *env) {
				a, b := newCaches(e, jcache.Options[string, string]{})
				put := func(k string, d time.Duration) {
					e.ok(a.WithExpiryPolicy(jcache.Modified[string, string](d)).Put(e.ctx, k, newValue))
				}
				const day = 24 * time.Hour
				long := []time.Duration{29 * day, 30*day + time.Second, 31 * day, 400 * day, 30 * 366 * day, math.MaxInt64}
				for i, d := range long {
					put(fmt.Sprint(keyMark, i), d)
				}
				put(key, time.Nanosecond)
				put(otherKey, 3*time.Millisecond)
				e.wait(time.Now().Add(6 * time.Millisecond))
				e.equal("an entry of a nanosecond", e.value(b.Get(e.ctx, key)), absent)
				e.equal("an entry of 3 ms", e.value(b.Get(e.ctx, otherKey)), absent)
				e.wait(time.Now().Add(1200 * time.Millisecond))
				for i, d := range long {
					e.equal(fmt.Sprint("an entry of ", d), e.value(b.Get(e.ctx, fmt.Sprint(keyMark, i))), newValue)
				}
			},
		},
		{
			name:   "expiry/the deadline that is shown is the one that counts",
			rule:   "Entry.Deadline is when the entry expires unless it is touched.",
			source: "jcache.Entry",
			uses:   usesTouch,
			run: func(e *env) {
				a, b := newCaches(e, jcache.Options[string, string]{ExpiryPolicy: jcache.Touched[string, string](300 * time.Millisecond)})
				e.ok(a.Put(e.ctx, key, newValue))
				// The entry shows the deadline as it was when it was read; the
				// read moves it.
				entry, _, err := b.GetEntry(e.ctx, key)
				e.ok(err)
				observer := b.WithExpiryPolicy(keepAll{})
				moved, ok, err := observer.GetEntry(e.ctx, key)
				e.ok(err)
				if !ok {
					return // a slow machine; the matrix has looked at this
				}
				if moved.Deadline.Before(entry.Deadline) {
					e.Errorf("a read moved the deadline back")
				}
				for {
					now := time.Now()
					contained := e.yes(observer.ContainsKey(e.ctx, key))
					if contained && !now.Before(moved.Deadline) {
						e.Errorf("there %v after the deadline", now.Sub(moved.Deadline))
					}
					if now = time.Now(); !contained && now.Before(moved.Deadline) {
						e.Errorf("gone %v before the deadline", moved.Deadline.Sub(now))
					}
					if !contained || now.After(moved.Deadline) {
						return
					}
					e.wait(now.Add(10 * time.Millisecond))
				}
			},
		},
		{
			name:   "expiry/a processor sees the deadline",
			rule:   "Deadline returns when the entry was going to expire as the processor found it. Zero: never, or there is no entry.",
			source: "jcache.MutableEntry.Deadline",
			run: func(e *env) {
				c := newCache(e, jcache.Options[string, string]{})
				deadline := func(k string) time.Time {
					d, err := jcache.Invoke(e.ctx, c, k, func(_ context.Context, m *stringEntry) (time.Time, error) { return m.Deadline(), nil })
					e.ok(err)
					return d
				}
				e.equal("without an entry", deadline(key).IsZero(), true)
				e.ok(c.Put(e.ctx, key, newValue))
				e.equal("of an eternal entry", deadline(key).IsZero(), true)
				before := time.Now()
				e.ok(c.WithExpiryPolicy(jcache.Modified[string, string](time.Hour)).Put(e.ctx, key, newValue))
				if d := deadline(key); d.Before(before.Add(time.Hour)) || d.After(time.Now().Add(time.Hour+2*time.Millisecond)) {
					e.Errorf("of an entry of an hour: %v from now", time.Until(d))
				}
			},
		},
		{
			name:   "expiry/a processor's own expiry",
			rule:   "SetExpiry overrules the cache's policy for this change.",
			source: "jcache.MutableEntry.SetExpiry",
			uses:   usesTouch,
			run: func(e *env) {
				c := newCache(e, jcache.Options[string, string]{ExpiryPolicy: jcache.Touched[string, string](time.Hour)})
				set := func(k string, x jcache.Expiry, value string) {
					_, err := jcache.Invoke(e.ctx, c, k, func(_ context.Context, m *stringEntry) (string, error) {
						if value != "" {
							m.SetValue(value)
						}
						m.SetExpiry(x)
						return valueOf(m)
					})
					e.ok(err)
				}
				look := func(what, value string, eternal bool) {
					entry, ok, err := c.WithExpiryPolicy(keepAll{}).GetEntry(e.ctx, key)
					e.ok(err)
					e.equal(what, orAbsent(entry.Value, ok), value)
					e.equal(what+": eternal", entry.Deadline.IsZero(), eternal)
				}
				set(key, jcache.KeepExpiry(), newValue)
				look("created with Keep", newValue, true)
				set(key, jcache.ExpireAfter(time.Minute), "")
				look("moved to a minute", newValue, false)
				set(key, jcache.KeepExpiry(), oldValue)
				look("updated with Keep", oldValue, false)
				set(key, jcache.ExpireNever(), "")
				look("moved to never", oldValue, true)
				set(key, jcache.ExpireNow(), "")
				look("moved to now", absent, true)
				set(key, jcache.ExpireNow(), newValue)
				look("created with Now", absent, true)
				set(key, jcache.ExpireNever(), newValue)
				set(key, jcache.ExpireNow(), oldValue)
				look("updated with Now", absent, true)
			},
		},
	}
	// Each way of looking at an entry sees it until its deadline and not after.
	for _, name := range []string{"get", "getEntry", "getAll", "containsKey", "iterate", "invoke exists", "invokeRegistered exists", "invokeRegistered value", "invokeAll value"} {
		op := operationNamed(name)
		cases = append(cases, testCase{
			name: "expiry/exact for " + name, rule: ruleExact, source: "package jcache, Expiry", needs: op.needs, uses: op.uses,
			run: func(e *env) { watchExpiry(e, op) },
		})
	}
	return cases
}

// watchExpiry polls entries until they are gone. Only what is certain counts: a look
// that ended before the deadline must find the entry, one that began after it must
// not.
func watchExpiry(e *env, op operation) {
	a, b := newCaches(e, jcache.Options[string, string]{})
	for _, d := range []time.Duration{60, 130, 300, 1150} {
		d *= time.Millisecond
		keys := []string{fmt.Sprint(keyMark, d), fmt.Sprint(keyMark, d, "+")}
		policy := jcache.Created[string, string](d)
		earliest := time.Now().Add(d)
		for _, k := range keys {
			e.ok(a.WithExpiryPolicy(policy).Put(e.ctx, k, newValue))
		}
		latest := time.Now().Add(d + 2*time.Millisecond)
		for found := true; found; {
			began := time.Now()
			result, err := op.run(e.ctx, b, keys, "", "")
			e.ok(err)
			ended := time.Now()
			found = strings.Contains(result, newValue) || strings.Contains(result, "true")
			if found && began.After(latest) {
				e.Errorf("an entry of %v was there %v after its deadline", d, began.Sub(latest))
				return
			}
			if !found && ended.Before(earliest) {
				e.Errorf("an entry of %v was gone %v before its deadline", d, earliest.Sub(ended))
			}
			if found {
				e.wait(ended.Add(min(50*time.Millisecond, max(time.Until(earliest)-3*time.Millisecond, time.Millisecond))))
			}
		}
	}
}
