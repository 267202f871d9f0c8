package conformance

import (
	"errors"
	"fmt"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
)

// add is the registered processor of the cases that count.
var add = jcache.RegisterProcessor("conformance.add", jcache.Options[string, int]{}, func(m *jcache.MutableEntry[string, int], by int) (int, error) {
	n, _, err := m.Value()
	m.SetValue(n + by)
	return n + by, err
})

var grow = jcache.RegisterProcessor("conformance.grow", jcache.Options[string, string]{}, func(m *jcache.MutableEntry[string, string], bytes int) (int, error) {
	m.SetValue(strings.Repeat("x", bytes))
	return bytes, nil
})

// A misbehaviour is what the processor misbehave is asked to do.
type misbehaviour struct {
	Panics, Unencodable bool
}

var misbehave = jcache.RegisterProcessor("conformance.misbehave", jcache.Options[string, string]{}, func(m *jcache.MutableEntry[string, string], how misbehaviour) (any, error) {
	m.SetValue(newValue)
	switch {
	case how.Panics:
		panic("on purpose")
	case how.Unencodable:
		return func() {}, nil
	}
	return nil, fmt.Errorf("for a reason: %w", errRefused)
})

// A point is a key that is neither a text nor a number.
type point struct{ X, Y int }

var label = jcache.RegisterProcessor("conformance.label", jcache.Options[point, map[string]int]{Codec: jcache.JSON[map[string]int]()},
	func(m *jcache.MutableEntry[point, map[string]int], names []string) (string, error) {
		value, _, err := m.Value()
		if value == nil {
			value = map[string]int{}
		}
		for _, name := range names {
			value[name] += m.Key().X
		}
		m.SetValue(value)
		return fmt.Sprint(m.Key(), len(value)), err
	})

var registeredCases = []testCase{
	{
		name:   "invokeRegistered/keys, values, arguments and results of any types",
		rule:   "A registered processor gets the key and the value, and its arguments and its result travel as AppendValue encodes them.",
		source: "jcache.RegisteredProcessor",
		uses:   usesInvoke,
		run: func(e *env) {
			c := newCache(e, jcache.Options[point, map[string]int]{Codec: jcache.JSON[map[string]int]()})
			for i, want := range []string{"{7 -1} 2", "{7 -1} 3"} {
				got, err := label.Invoke(e.ctx, c, point{7, -1}, []string{"both", fmt.Sprint("only ", i)})
				e.ok(err)
				e.equal("the result", got, want)
			}
			value, _, err := c.Get(e.ctx, point{7, -1})
			e.ok(err)
			e.equal("the value", value, map[string]int{"both": 14, "only 0": 7, "only 1": 7})
		},
	},
	{
		name:   "invokeRegistered/a cache of another codec",
		rule:   "Where the codec differs, the function is executed in the calling process.",
		source: "jcache.RegisterProcessor",
		uses:   usesInvoke,
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, int]{Codec: jcache.Gob[int]()})
			e.ok(c.Put(e.ctx, key, 5))
			n, err := add.Invoke(e.ctx, c, key, 2)
			e.ok(err)
			e.equal("the result", n, 7)
		},
	},
	{
		name:   "invokeRegistered/a failing processor changes nothing",
		rule:   "If it returns an error or panics, the entry stays as it was. The error matches ErrProcessor and has its text, or the type of what it panicked with, and matches no error of the program's.",
		source: "jcache.RegisteredProcessor.Invoke",
		uses:   usesInvoke,
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			for _, t := range []struct {
				how  misbehaviour
				is   error
				text string
			}{
				{misbehaviour{}, jcache.ErrProcessor, "for a reason: " + errRefused.Error()},
				{misbehaviour{Panics: true}, jcache.ErrProcessor, "panicked with a string"},
				{misbehaviour{Unencodable: true}, jcache.ErrInvalid, "cannot be encoded"},
			} {
				result, err := misbehave.Invoke(e.ctx, c, key, t.how)
				e.is("the error", err, t.is)
				if err != nil && !strings.Contains(err.Error(), t.text) || errors.Is(err, errRefused) || result != nil {
					e.Errorf("got result %v and error %v", result, err)
				}
				e.equal("afterwards", e.value(c.Get(e.ctx, key)), oldValue)
				e.ok(c.Put(e.ctx, key, oldValue))
			}
		},
	},
	{
		name:   "invokeRegistered/a value that is too large",
		rule:   "ErrTooLarge: the key or value exceeds what the provider takes. Nothing was changed.",
		source: "jcache.ErrTooLarge",
		uses:   usesInvoke,
		run: func(e *env) {
			limit := e.suite.info.MaxRecordBytes
			if limit == 0 {
				return
			}
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			_, err := grow.Invoke(e.ctx, c, key, limit)
			e.is("the error", err, jcache.ErrTooLarge)
			e.equal("afterwards", e.value(c.Get(e.ctx, key)), oldValue)
		},
	},
	{
		name:   "invokeRegistered/many keys",
		rule:   "InvokeAll returns one result for each distinct key.",
		source: "JSR-107: Cache.invokeAll",
		uses:   usesInvoke,
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, int]{})
			var keys []string
			for i := range 60 {
				keys = append(keys, fmt.Sprint(keyMark, i))
			}
			for round := 1; round <= 2; round++ {
				results, err := add.InvokeAll(e.ctx, a, append(keys, keys...), 5)
				e.ok(err)
				e.equal("results", len(results), len(keys))
				for _, k := range keys {
					e.ok(results[k].Err)
					e.equal("a result", results[k].Value, round*5)
				}
			}
			found, err := b.GetAll(e.ctx, keys...)
			e.ok(err)
			e.equal("entries afterwards", len(found), len(keys))
		},
	},
}
