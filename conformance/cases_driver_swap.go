package conformance

import (
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	ruleConflict = "If the token differs, nothing is changed, swapped is false and the error is nil; current is then the present item or nil."
	ruleNoABA    = "Any successful write makes every older token of that key fail (no ABA)."
)

var swapCases = []testCase{
	{
		name:   "swap/zero token on an absent key",
		rule:   "The zero Token demands that the key be absent.",
		source: "driver.Cache.Swap",
		run: func(e *env) {
			a, b := e.pair()
			swapped, _ := a.swap(key, driver.Token{}, "one")
			e.equal("swapped", swapped, true)
			e.equal("stored", b.get(key), "one")
		},
	},
	{
		name:   "swap/zero token on a present key",
		rule:   ruleConflict,
		source: "driver.Cache.Swap",
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			b.refused(key, driver.Token{}, "two", "one")
			b.refused(key, driver.Token{}, "", "one")
		},
	},
	{
		name:   "swap/present token",
		rule:   "Swap stores record only if the key's present token is old.",
		source: "driver.Cache.Swap",
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			swapped, _ := b.swap(key, a.item(key).Token, "two")
			e.equal("swapped with the token that another client read", swapped, true)
			e.equal("stored", a.get(key), "two")
		},
	},
	{
		name:   "swap/removes",
		rule:   "A nil record removes the key.",
		source: "driver.Cache.Swap",
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			a.put(otherKey, "other")
			swapped, _ := a.swap(key, a.item(key).Token, "")
			e.equal("swapped", swapped, true)
			e.equal("removed", b.get(key), absent)
			e.equal("another key", b.get(otherKey), "other")
			swapped, _ = b.swap(key, driver.Token{}, "two")
			e.equal("swapped in where a swap removed", swapped, true)
		},
	},
	{
		name:   "swap/stale token",
		rule:   ruleConflict,
		source: "driver.Cache.Swap",
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			stale := a.item(key).Token
			b.put(key, "two")
			a.refused(key, stale, "three", "two")
			a.refused(key, stale, "", "two")
		},
	},
	{
		name:   "swap/token of a removed record",
		rule:   ruleConflict,
		source: "driver.Cache.Swap",
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			stale := a.item(key).Token
			b.delete(key)
			a.refused(key, stale, "two", absent)
			a.refused(key, stale, "", absent)
		},
	},
	{
		name:   "swap/current can be swapped again",
		rule:   "current is then the present item, with the token it has.",
		source: "driver.Cache.Swap",
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			_, current := b.swap(key, driver.Token{}, "two")
			if current == nil {
				return // the driver does not learn it
			}
			swapped, _ := b.swap(key, current.Token, "three")
			e.equal("swapped with the token of current", swapped, true)
			e.equal("stored", a.get(key), "three")
		},
	},
}

// refused checks that a swap fails and changes nothing.
func (c client) refused(key string, old driver.Token, with, present string) {
	c.e.Helper()
	swapped, current := c.swap(key, old, with)
	c.e.equal("swapped with a token that is not the present one", swapped, false)
	if current != nil {
		c.e.equal("current", text(*current), present)
	}
	c.e.equal("what is there after a refused swap", c.get(key), present)
}

// tokenCases take a token, let something happen, and demand that the token fails.
var tokenCases = func() []testCase {
	type write struct {
		name  string
		needs need
		do    func(a, b client) (present string)
	}
	writes := []write{
		{"put", need{}, func(_, b client) string { b.put(key, "one"); return "one" }},
		{"put and put back", need{}, func(_, b client) string {
			b.put(key, "two")
			b.put(key, "one")
			return "one"
		}},
		{"delete and put back", need{}, func(_, b client) string {
			b.delete(key)
			b.put(key, "one")
			return "one"
		}},
		{"remove by swap and put back", need{}, func(_, b client) string {
			b.swap(key, b.item(key).Token, "")
			b.swap(key, driver.Token{}, "one")
			return "one"
		}},
		{"swap back and forth", need{}, func(a, b client) string {
			b.swap(key, b.item(key).Token, "two")
			a.swap(key, a.item(key).Token, "one")
			return "one"
		}},
		{"put batch", needing(driver.FeatureBatchPut), func(_, b client) string {
			for _, err := range b.f.BatchPutter.PutBatch(b.e.ctx, []driver.Entry{{Key: key, Record: record("one")}, {Key: otherKey, Record: record("one")}}) {
				b.e.ok(err)
			}
			return "one"
		}},
		{"exchange", needing(driver.FeatureExchange), func(_, b client) string {
			b.exchange(key, "one", never)
			return "one"
		}},
		{"exchange away and back", needing(driver.FeatureExchange), func(_, b client) string {
			b.exchange(key, "", never)
			b.exchange(key, "one", never)
			return "one"
		}},
		{"clear", needing(driver.FeatureClear), func(_, b client) string {
			b.e.ok(b.f.Clearer.Clear(b.e.ctx))
			return absent
		}},
		{"clear and put back", needing(driver.FeatureClear), func(_, b client) string {
			b.e.ok(b.f.Clearer.Clear(b.e.ctx))
			b.put(key, "one")
			return "one"
		}},
		{"expiry and put back", need{}, func(_, b client) string {
			b.putUntil(key, "one", in(time.Millisecond))
			b.e.wait(in(5 * time.Millisecond))
			b.put(key, "one")
			return "one"
		}},
	}
	var cases []testCase
	for _, w := range writes {
		cases = append(cases, testCase{
			name: "token/after " + w.name, rule: ruleNoABA, source: "driver contract 2", needs: w.needs,
			run: func(e *env) {
				a, b := e.pair()
				a.put(key, "one")
				stale := a.item(key).Token
				present := w.do(a, b)
				a.refused(key, stale, "stale", present)
				a.refused(key, stale, "", present)
			},
		})
	}
	cases = append(cases, testCase{
		name: "token/never comes back", rule: ruleNoABA, source: "driver contract 2",
		run: func(e *env) {
			a, b := e.pair()
			seen := make(map[string]bool)
			for i := range 300 {
				if i%7 == 0 {
					b.delete(key)
				}
				b.put(key, "one")
				token := fmt.Sprintf("%+v", a.item(key).Token)
				if seen[token] {
					e.Fatalf("after %d writes a record has the token of an older one", i)
				}
				seen[token] = true
			}
		},
	})
	// The tokens that other calls than Get return serve as well.
	sources := []struct {
		name  string
		needs need
		item  func(client) driver.Item
	}{
		{"get batch", needing(driver.FeatureBatchGet), func(c client) driver.Item {
			items, err := c.f.BatchGetter.GetBatch(c.e.ctx, []string{key, otherKey})
			c.e.ok(err)
			for _, item := range items {
				return item
			}
			return driver.Item{}
		}},
		{"scan", needing(driver.FeatureScan), func(c client) driver.Item {
			for item, err := range c.f.Scanner.Scan(c.e.ctx) {
				c.e.ok(err)
				return item
			}
			return driver.Item{}
		}},
	}
	for _, s := range sources {
		cases = append(cases, testCase{
			name: "token/of " + s.name, rule: "Token is the version for Swap.", source: "driver.Item", needs: s.needs,
			run: func(e *env) {
				a, b := e.pair()
				a.put(key, "one")
				token := s.item(b).Token
				swapped, _ := b.swap(key, token, "two")
				e.equal("swapped with the token", swapped, true)
				a.refused(key, token, "three", "two")
			},
		})
	}
	return cases
}()
