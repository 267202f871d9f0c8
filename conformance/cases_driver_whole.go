package conformance

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const ruleScan = "Scan yields every record with its Key set. A key that is present from the first to the last step is yielded exactly once; others may or may not be."

var scanCases = []testCase{
	{
		name: "scan/yields every record once", rule: ruleScan, source: "driver.Scanner", needs: needing(driver.FeatureScan),
		run: func(e *env) {
			a, b := e.pair()
			e.equal("of an empty cache", b.scan(), map[string]string{})
			texts := manyKeys(700)
			a.fill(texts)
			a.delete(keyMark + "0000")
			delete(texts, keyMark+"0000")
			a.put(keyMark+"0001", "newer")
			texts[keyMark+"0001"] = "newer"
			if got := b.scan(); !maps.Equal(got, texts) {
				e.Errorf("of %d records %d were yielded, or others", len(texts), len(got))
			}
			neighbour := e.openAs(0, e.name+"-2")
			e.equal("of a cache whose name has this one's as its beginning", neighbour.scan(), map[string]string{})
		},
	},
	{
		name: "scan/while others write", rule: ruleScan, source: "driver.Scanner", needs: needing(driver.FeatureScan),
		run: func(e *env) {
			a, b := e.pair()
			texts := manyKeys(300)
			a.fill(texts)
			var writes atomic.Int64
			var stop atomic.Bool
			e.parallel(2, func(i int) {
				if i == 0 {
					defer stop.Store(true)
					for busy := 0; busy < 3; { // scans that began when much had been written
						if writes.Load() >= 300 {
							busy++
						}
						got := b.scan()
						maps.DeleteFunc(got, func(k, _ string) bool { return texts[k] == "" })
						if !maps.Equal(got, texts) {
							e.Fatalf("of %d records that stayed %d were yielded, or others", len(texts), len(got))
						}
					}
					return
				}
				for !stop.Load() {
					n := writes.Add(1)
					k := fmt.Sprint(keyMark, "passing", n%200)
					a.put(k, "passing")
					if n%3 > 0 {
						a.delete(k)
					}
				}
			})
		},
	},
	{
		name: "scan/while the cache grows and shrinks", rule: ruleScan, source: "driver.Scanner", needs: needing(driver.FeatureScan),
		run: func(e *env) {
			a, b := e.pair()
			staying, passing := manyKeys(30), make(map[string]string)
			for i := range 300 {
				passing[fmt.Sprint(keyMark, "passing", i)] = "passing"
			}
			a.fill(staying)
			const most = 20 * time.Second // a busy machine does fewer of what are tens of thousands of writes
			enough := in(most)
			// A record that is met twice is a matter of luck.
			for round := 0; round < 6 && (round == 0 || time.Now().Before(enough)); round++ {
				seen := make(map[string]int)
				a.fill(passing)
				full, since := true, 0 // whether there are many, and for how many steps of the loop
				for item, err := range b.f.Scanner.Scan(e.ctx) {
					e.ok(err)
					if staying[item.Key] != "" {
						seen[item.Key]++
					}
					switch since++; {
					case time.Now().After(enough):
					case full && since >= 15:
						a.drain(passing)
						full, since = false, 0
						e.wait(in(50 * time.Millisecond)) // a table may shrink a moment later
					case !full && since >= 3:
						a.fill(passing)
						full, since = true, 0
					}
				}
				e.equal("records that stayed and were yielded", len(seen), len(staying))
				for _, times := range seen {
					if times != 1 {
						e.Fatalf("a record that stayed was yielded %d times", times)
					}
				}
			}
		},
	},
	{
		name: "scan/the loop body may call the cache", rule: "The loop body may call the cache.", source: "driver.Scanner", needs: needing(driver.FeatureScan),
		run: func(e *env) {
			c := e.open()
			texts := manyKeys(50)
			c.fill(texts)
			for item, err := range c.f.Scanner.Scan(e.ctx) {
				e.ok(err)
				if swapped, _ := c.swap(item.Key, item.Token, "seen"); !swapped && c.get(item.Key) != "seen" {
					e.Errorf("the token of a scanned item does not fit, although nobody else writes")
				}
				c.put(otherKey, "new")
				c.delete(otherKey)
			}
			for k := range texts {
				e.equal("after the loop body has written", c.get(k), "seen")
			}
		},
	},
	{
		name: "scan/can be left early", rule: "A loop that breaks leaves nothing behind: the cache serves on.", source: "driver.Scanner", needs: needing(driver.FeatureScan),
		run: func(e *env) {
			c := e.open()
			c.fill(manyKeys(50))
			for range 3 {
				for _, err := range c.f.Scanner.Scan(e.ctx) {
					e.ok(err)
					break
				}
			}
			c.put(key, "one")
			e.equal("scanned after loops that were left", len(c.scan()), 51)
		},
	},
	{
		name: "scan/does not end early without an error", rule: "An error ends the sequence.", source: "driver.Scanner", needs: needing(driver.FeatureScan),
		run: func(e *env) {
			c := e.open()
			c.fill(manyKeys(700))
			ctx, cancel := context.WithCancel(e.ctx)
			defer cancel()
			seen, ended := 0, error(nil)
			for _, err := range c.f.Scanner.Scan(ctx) {
				if ended != nil {
					e.Errorf("the sequence goes on after an error")
				}
				if ended = err; err == nil {
					seen++
				}
				cancel()
			}
			if ended == nil && seen < 700 {
				e.Errorf("the context ended; the sequence ended after %d of 700 records and without an error", seen)
			}
			if ended != nil && !errors.Is(ended, context.Canceled) {
				e.Errorf("the context ended; the sequence's error is %v", ended)
			}
		},
	},
}

var clearCases = []testCase{
	{
		name: "clear/removes all", rule: "Clear removes the records that were present when it was called.", source: "driver.Clearer", needs: needing(driver.FeatureClear),
		run: func(e *env) {
			a, b := e.pair()
			texts := manyKeys(100)
			a.fill(texts)
			e.ok(b.f.Clearer.Clear(e.ctx))
			left := 0
			for k := range texts {
				if a.get(k) != absent || b.get(k) != absent {
					left++
				}
			}
			e.equal("records left", left, 0)
			if a.f.BatchGetter != nil {
				e.equal("found by GetBatch", a.batch(slices.Collect(maps.Keys(texts))...), map[string]string{})
			}
			e.ok(a.f.Clearer.Clear(e.ctx))
		},
	},
	{
		name: "clear/only this cache", rule: "Clear removes only the records of this cache.", source: "driver.Clearer", needs: needing(driver.FeatureClear),
		run: func(e *env) {
			names := []string{e.name, e.name + "x", e.name + ".x", "x" + e.name}
			var caches []client
			for i, name := range names {
				caches = append(caches, e.openAs(i%2, name))
				caches[i].put(key, name)
			}
			e.ok(caches[0].f.Clearer.Clear(e.ctx))
			e.equal("the cache that was cleared", caches[0].get(key), absent)
			for i, c := range caches[1:] {
				e.equal("another cache", c.get(key), names[i+1])
			}
		},
	},
	{
		name: "clear/what is put later stays", rule: "A record that is put after Clear returned stays.", source: "driver.Clearer", needs: needing(driver.FeatureClear),
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			e.ok(a.f.Clearer.Clear(e.ctx))
			swapped, _ := b.swap(key, driver.Token{}, "two")
			e.equal("swapped in by another client where a record was cleared", swapped, true)
			// A clear that is still going on would find one of these.
			texts := make(map[string]string)
			for i := range 50 {
				k := fmt.Sprint(keyMark, "later", i)
				texts[k] = fmt.Sprint(i)
				b.put(k, texts[k])
				e.wait(time.Now().Add(time.Millisecond))
			}
			e.equal("swapped in after Clear", a.get(key), "two")
			for k, text := range texts {
				e.equal("put after Clear", a.get(k), text)
			}
		},
	},
	{
		name: "size/counts", rule: "Size returns the number of stored records.", source: "driver.Sizer", needs: needing(driver.FeatureSize),
		run: func(e *env) {
			a, b := e.pair()
			e.openAs(1, e.name+"x").put(key, "another cache's")
			e.equal("of an empty cache", a.size(), 0)
			a.fill(manyKeys(100))
			e.equal("after 100 puts", b.size(), 100)
			a.put(keyMark+"0000", "again")
			e.equal("after an overwrite", b.size(), 100)
			b.delete(keyMark + "0000")
			b.delete(otherKey)
			a.swap(keyMark+"0001", a.item(keyMark+"0001").Token, "")
			e.equal("after two removals", a.size(), 98)
		},
	},
}
