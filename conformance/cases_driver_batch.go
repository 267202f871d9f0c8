package conformance

import (
	"fmt"
	"maps"
	"slices"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// manyKeys returns n keys and their texts.
func manyKeys(n int) map[string]string {
	m := make(map[string]string, n)
	for i := range n {
		m[fmt.Sprintf("%s%04d", keyMark, i)] = fmt.Sprint("text ", i)
	}
	return m
}

// entries makes a batch of texts, in no order.
func entries(texts map[string]string) []driver.Entry {
	var list []driver.Entry
	for k, t := range texts {
		list = append(list, driver.Entry{Key: k, Record: record(t)})
	}
	return list
}

// fill puts many records.
func (c client) fill(texts map[string]string) {
	c.each(texts, func(key string) { c.put(key, texts[key]) })
}

// drain removes many records.
func (c client) drain(texts map[string]string) { c.each(texts, c.delete) }

// each does something to many keys, a few of them at a time.
func (c client) each(texts map[string]string, do func(key string)) {
	keys := slices.Collect(maps.Keys(texts))
	const at = 8
	c.e.parallel(at, func(i int) {
		for ; i < len(keys); i += at {
			do(keys[i])
		}
	})
}

var batchCases = []testCase{
	{
		name:   "get batch/returns what is there",
		rule:   "GetBatch returns one item per key found, with its Key set, in any order.",
		source: "driver.BatchGetter",
		needs:  needing(driver.FeatureBatchGet),
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			a.put(otherKey, "two")
			e.equal("of two present and one absent key", b.batch(keyMark+"c", otherKey, key), map[string]string{key: "one", otherKey: "two"})
			e.equal("of one key", b.batch(key), map[string]string{key: "one"})
			e.equal("of absent keys", b.batch(keyMark+"c", keyMark+"d"), map[string]string{})
			a.delete(key)
			e.equal("after a Delete", b.batch(key, otherKey), map[string]string{otherKey: "two"})
		},
	},
	{
		name:   "get batch/many keys",
		rule:   "GetBatch returns one item per key found, with its Key set, in any order.",
		source: "driver.BatchGetter",
		needs:  needing(driver.FeatureBatchGet),
		run: func(e *env) {
			a, b := e.pair()
			texts := manyKeys(600)
			a.fill(texts)
			keys := slices.Collect(maps.Keys(texts))
			for i := range 100 {
				keys = append(keys, fmt.Sprint(keyMark, "absent", i))
			}
			e.random.Shuffle(len(keys), func(i, j int) { keys[i], keys[j] = keys[j], keys[i] })
			if got := b.batch(keys...); !maps.Equal(got, texts) {
				e.Errorf("of %d keys that are there %d came back, or others", len(texts), len(got))
			}
		},
	},
	{
		name:   "put batch/stores all",
		rule:   "PutBatch puts every record. The result is nil if all were stored; otherwise it has one element for each entry, in their order.",
		source: "driver.BatchPutter",
		needs:  needing(driver.FeatureBatchPut),
		run: func(e *env) {
			a, b := e.pair()
			texts := manyKeys(600)
			a.put(keyMark+"0001", "older")
			a.put(otherKey, "other")
			for _, err := range a.f.BatchPutter.PutBatch(e.ctx, entries(texts)) {
				e.ok(err)
			}
			wrong := 0
			for k, t := range texts {
				if b.get(k) != t {
					wrong++
				}
			}
			e.equal("records of the batch that another client does not find", wrong, 0)
			e.equal("a record that is not in the batch", b.get(otherKey), "other")
		},
	},
}

var exchangeCases = []testCase{
	{
		name:   "exchange/returns the previous item",
		rule:   "Exchange stores record, or removes the key if record is nil, and returns the previous item.",
		source: "driver.Exchanger",
		needs:  needing(driver.FeatureExchange),
		run: func(e *env) {
			a, b := e.pair()
			e.equal("before the first", a.exchange(key, "one", never), absent)
			e.equal("stored", b.get(key), "one")
			e.equal("before the second", b.exchange(key, "two", never), "one")
			a.put(key, "three")
			e.equal("after a Put", b.exchange(key, "four", never), "three")
			e.equal("before the removal", a.exchange(key, "", never), "four")
			e.equal("after the removal", b.get(key), absent)
			e.equal("removed twice", b.exchange(key, "", never), absent)
		},
	},
	{
		name:   "exchange/each record is returned once",
		rule:   "Exchange returns the record that was there: of many at the same time, no two return the same one, and none is lost.",
		source: "driver.Exchanger, driver contract 1",
		needs:  needing(driver.FeatureExchange),
		run: func(e *env) {
			a, b := e.pair()
			const goroutines, each = 8, 25
			var previous [goroutines][]string
			e.parallel(goroutines, func(i int) {
				c := [2]client{a, b}[i%2]
				for j := range each {
					previous[i] = append(previous[i], c.exchange(key, fmt.Sprint(i, ".", j), never))
				}
			})
			seen := map[string]int{a.get(key): 1}
			for _, list := range previous {
				for _, text := range list {
					seen[text]++
				}
			}
			for text, times := range seen {
				if times != 1 {
					e.Errorf("%q was the previous record %d times", text, times)
				}
			}
			e.equal("records, with the one that stayed and the absence at first", len(seen), goroutines*each+1)
		},
	},
}
