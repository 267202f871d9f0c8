package conformance

import (
	"fmt"
	"runtime"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	ruleNotEarly = "A record is never dropped because of its deadline before that deadline."
	ruleGone     = "A key that has expired is found == false; ExpiryStep is how much longer than asked a dead record may stay readable."

	// clockGrace is how late a busy machine may look. Nothing excuses what is early: a
	// record whose absence was learned before its deadline was dropped too early.
	clockGrace = 50 * time.Millisecond
	// longestStep is the longest ExpiryStep that the suite waits for.
	longestStep = 4 * time.Second
)

// A writePath is one way in which a record gets its deadline.
type writePath struct {
	name  string
	needs need
	write func(c client, key string, deadline time.Time)
}

var writePaths = []writePath{
	{"put", need{}, func(c client, key string, d time.Time) { c.putUntil(key, "one", d) }},
	{"put over a record that expires before", need{}, func(c client, key string, d time.Time) {
		c.putUntil(key, "older", in(100*time.Millisecond))
		c.putUntil(key, "one", d)
	}},
	{"swap of an absent key", need{}, func(c client, key string, d time.Time) { c.swapUntil(key, driver.Token{}, "one", d) }},
	{"swap of an eternal record", need{}, func(c client, key string, d time.Time) {
		c.put(key, "older")
		c.swapUntil(key, c.item(key).Token, "one", d)
	}},
	{"swap of a record that expires before", need{}, func(c client, key string, d time.Time) {
		c.swapUntil(key, c.short(key, 800*time.Millisecond).Token, "one", d)
	}},
	{"swap of a record that expires later", need{}, func(c client, key string, d time.Time) {
		c.putUntil(key, "older", in(time.Hour))
		c.swapUntil(key, c.item(key).Token, "one", d)
	}},
	{"put batch", needing(driver.FeatureBatchPut), func(c client, key string, d time.Time) {
		batch := []driver.Entry{
			{Key: key, Record: record("one"), Deadline: d},
			{Key: key + ".eternal", Record: record("one")},
			{Key: key + ".short", Record: record("one"), Deadline: in(50 * time.Millisecond)},
		}
		for _, err := range c.f.BatchPutter.PutBatch(c.e.ctx, batch) {
			c.e.ok(err)
		}
	}},
	{"exchange", needing(driver.FeatureExchange), func(c client, key string, d time.Time) {
		c.putUntil(key, "older", in(100*time.Millisecond))
		c.exchange(key, "one", d)
	}},
	{"touch", needing(driver.FeatureTouch), func(c client, key string, d time.Time) {
		for range patience {
			c.putUntil(key, "one", in(time.Hour))
			token := c.item(key).Token
			c.touchIf(key, token, in(100*time.Millisecond))
			if c.touchIf(key, token, d) {
				break
			}
		}
	}},
}

var expiryCases = func() []testCase {
	cases := []testCase{
		{
			name:   "expiry/far deadlines",
			rule:   ruleNotEarly + " The zero deadline means that the record does not expire.",
			source: "driver contract 4, driver.Cache.Put",
			run: func(e *env) {
				a, b := e.pair()
				const day = 24 * time.Hour
				deadlines := []time.Time{never, in(29 * day), in(31 * day), in(366 * day), in(30 * 366 * day), in(200 * 366 * day), time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC)}
				look := func() {
					for i, d := range deadlines {
						if got := b.get(fmt.Sprint(keyMark, i)); got != "one" {
							e.Errorf("a record whose deadline is %v is %s", d, got)
						}
					}
				}
				for i, d := range deadlines {
					k := fmt.Sprint(keyMark, i)
					a.putUntil(k, "one", d)
					if i%2 == 0 {
						a.swapUntil(k, a.item(k).Token, "one", d)
					}
				}
				look()
				e.wait(in(2500 * time.Millisecond))
				look()
			},
		},
		{
			name:   "expiry/an eternal record replaces one that expires",
			rule:   "The zero deadline means that the record does not expire.",
			source: "driver.Cache.Put, driver.Cache.Swap",
			run: func(e *env) {
				a, b := e.pair()
				const k1, k2, k3 = keyMark + "put", keyMark + "swap", keyMark + "exchange"
				for _, k := range []string{k1, k2, k3} {
					a.putUntil(k, "short", in(time.Second))
				}
				a.put(k1, "one")
				for range patience {
					if swapped, _ := a.swap(k2, a.short(k2, time.Second).Token, "one"); swapped {
						break
					}
				}
				if a.f.Exchanger != nil {
					a.exchange(k3, "one", never)
				} else {
					a.put(k3, "one")
				}
				e.wait(in(3200 * time.Millisecond))
				for _, k := range []string{k1, k2, k3} {
					e.equal("an eternal record after the deadline of the one before, by "+k[len(keyMark):], b.get(k), "one")
				}
			},
		},
		{
			name:   "expiry/a deadline in the past",
			rule:   "Put stores a record whatever was there before: one whose deadline has passed replaces the old one, too.",
			source: "driver.Cache.Put",
			run: func(e *env) {
				a, b := e.pair()
				a.put(key, "old")
				a.putUntil(key, "dead", in(-5*time.Second))
				if got := b.get(key); got != absent && got != "dead" {
					e.Errorf("after a put with a deadline in the past: got %s", got)
				}
				a.put(otherKey, "old")
				if swapped, _ := a.swapUntil(otherKey, a.item(otherKey).Token, "dead", in(-5*time.Second)); !swapped {
					e.Errorf("a swap with a deadline in the past is refused")
				}
				if got := b.get(otherKey); got != absent && got != "dead" {
					e.Errorf("after a swap with a deadline in the past: got %s", got)
				}
			},
		},
		{
			name:   "expiry/not a moment early",
			rule:   ruleNotEarly,
			source: "driver contract 4",
			run: func(e *env) {
				c := e.open()
				// What is rounded down is gone up to a millisecond early, and most of it if it
				// is written at the beginning of a millisecond. A busy machine does not
				// always look in time.
				const lastMoment = 500 * time.Microsecond
				end := time.Now().Add(2 * time.Second)
				for round, looked := 0, 0; looked < 40 && time.Now().Before(end); round++ {
					k := fmt.Sprint(keyMark, round)
					for time.Now().Nanosecond()%int(time.Millisecond) > int(time.Millisecond)/8 {
						runtime.Gosched()
					}
					deadline := in(time.Duration(3+e.random.IntN(6)) * time.Millisecond)
					if round%2 == 0 {
						c.putUntil(k, "one", deadline)
					} else {
						c.swapUntil(k, driver.Token{}, "one", deadline)
					}
					for late := false; !late; {
						found := c.get(k)
						left := time.Until(deadline)
						switch late = left <= 0; {
						case !late && found == absent:
							e.Fatalf("a record was gone %v before its deadline: a life must be rounded up", left)
						case !late && left < lastMoment:
							looked++
						}
					}
				}
			},
		},
		{
			name:   "expiry/a deadline that is about to pass",
			rule:   ruleGone,
			source: "driver.Cache.Get, driver.Info.ExpiryStep",
			run: func(e *env) {
				a, b := e.pair()
				const records = 40
				start := time.Now()
				for i := range records { // less than a millisecond before their deadlines
					a.putUntil(fmt.Sprint(keyMark, i), "one", in(time.Millisecond))
				}
				step := a.Info().ExpiryStep
				if step > longestStep {
					return
				}
				e.wait(time.Now().Add(time.Since(start) + step + clockGrace))
				left := 0
				for i := range records {
					if b.get(fmt.Sprint(keyMark, i)) != absent {
						left++
					}
				}
				e.equal("records that are still there long after their deadlines", left, 0)
			},
		},
		{
			name:   "expiry/an expired key is absent to a swap",
			rule:   "The zero Token demands that the key be absent, and a key that has expired is.",
			source: "driver.Cache.Swap, driver.Cache.Get",
			run: func(e *env) {
				a, b := e.pair()
				step := a.Info().ExpiryStep
				if step > longestStep {
					return
				}
				deadline, start := in(100*time.Millisecond), time.Now()
				for _, k := range []string{key, otherKey} {
					a.putUntil(k, "one", deadline)
				}
				e.wait(deadline.Add(time.Since(start) + step + clockGrace)) // a life may be counted from its arrival
				for k, c := range map[string]client{key: a, otherKey: b} {
					e.equal("a record after its deadline", c.get(k), absent)
					swapped, _ := c.swap(k, driver.Token{}, "two")
					e.equal("swapped in where a record expired", swapped, true)
				}
			},
		},
		{
			name:   "expiry/exact deadlines",
			rule:   "A driver that implements Toucher keeps deadlines exactly: an expired key is absent to every call.",
			source: "driver.Toucher",
			needs:  needing(driver.FeatureTouch),
			run: func(e *env) {
				a, b := e.pair()
				token := a.short(key, 300*time.Millisecond).Token
				a.putUntil(otherKey, "one", in(300*time.Millisecond))
				e.wait(in(310*time.Millisecond + clockGrace))
				if b.f.BatchGetter != nil {
					e.equal("found by GetBatch", b.batch(key, otherKey), map[string]string{})
				}
				if b.f.Scanner != nil {
					e.equal("found by Scan", b.scan(), map[string]string{})
				}
				a.refused(key, token, "two", absent)
				swapped, _ := b.swap(key, driver.Token{}, "three")
				e.equal("swapped in where a record expired", swapped, true)
				if b.f.Exchanger != nil {
					e.equal("returned by Exchange", b.exchange(otherKey, "four", never), absent)
				}
			},
		},
	}
	for _, p := range writePaths {
		cases = append(cases, testCase{
			name: "expiry/not early, not late/" + p.name, rule: ruleNotEarly + " " + ruleGone, source: "driver contract 4, driver.Info.ExpiryStep", needs: p.needs,
			run: p.run,
		})
	}
	return cases
}()

func (p writePath) run(e *env) {
	a, b := e.pair()
	deadlines := make(map[string]time.Time)
	var took time.Duration // the longest write: a life that is counted from its arrival ends so much later
	for i, ttl := range []time.Duration{350, 700, 1000, 1600, 2100, 2700} {
		k := fmt.Sprint(keyMark, i)
		deadlines[k] = in(ttl*time.Millisecond + time.Duration(e.random.IntN(200))*time.Millisecond)
		start := time.Now()
		p.write(a, k, deadlines[k])
		took = max(took, time.Since(start))
	}
	step := a.Info().ExpiryStep
	for len(deadlines) > 0 {
		for k, deadline := range deadlines {
			start := time.Now()
			got := b.get(k)
			switch now := time.Now(); {
			case got != absent && got != "one":
				e.Errorf("got %s", got)
			case got == absent && now.Before(deadline):
				e.Errorf("the record was gone %v before its deadline", deadline.Sub(now).Round(time.Millisecond))
				delete(deadlines, k)
			case got == absent, step > longestStep && start.After(deadline):
				delete(deadlines, k)
			case start.After(deadline.Add(step + took + clockGrace)):
				e.Errorf("the record was there %v after its deadline; ExpiryStep is %v", start.Sub(deadline).Round(time.Millisecond), step)
				delete(deadlines, k)
			}
		}
		e.wait(in(30 * time.Millisecond))
	}
}
