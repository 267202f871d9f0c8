package conformance

import (
	"context"
	"errors"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var errorCases = []testCase{
	{
		name:   "errors/a key that cannot be stored",
		rule:   "In a bulk operation a key that cannot be stored fails alone.",
		source: "jcache.BatchError; JSR-107: Cache.putAll, getAll, removeAll, invokeAll",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange},
		run: func(e *env) {
			c := newCache(e, jcache.Options[any, string]{})
			bad := any(new(int)) // equal to nothing but itself
			want := jcache.ErrInvalid
			if limit := e.suite.info.MaxKeyBytes; limit > 0 {
				bad, want = strings.Repeat("k", limit+1), jcache.ErrTooLarge
			}
			alone := func(what string, err error) {
				e.is(what, err, want)
				var batch *jcache.BatchError[any]
				if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[bad] == nil || batch.Of != 3 {
					e.Errorf("%s: the error does not list the one key that failed: %v", what, err)
				}
				checkError(e, what, err)
			}
			alone("putAll", c.PutAll(e.ctx, map[any]string{key: newValue, bad: newValue, otherKey: newValue}))
			found, err := c.GetAll(e.ctx, key, bad, otherKey)
			alone("getAll", err)
			e.equal("what getAll returns with the error", found, map[any]string{key: newValue, otherKey: newValue})
			results, err := jcache.InvokeAll(e.ctx, c, []any{key, bad, otherKey}, func(_ context.Context, m *jcache.MutableEntry[any, string]) (string, error) {
				value, _, err := m.Value()
				m.SetValue(oldValue)
				return value, err
			})
			e.ok(err)
			e.is("the one result of invokeAll", results[bad].Err, want)
			for _, k := range []any{key, otherKey} {
				e.ok(results[k].Err)
				e.equal("another result of invokeAll", results[k].Value, newValue)
			}
			alone("removeKeys", c.RemoveKeys(e.ctx, key, bad, otherKey))
			found, err = c.GetAll(e.ctx, key, otherKey)
			e.ok(err)
			e.equal("after removeKeys", len(found), 0)
		},
	},
	{
		name:   "errors/no processor, no policy",
		rule:   "A missing processor is ErrInvalid; a missing policy is Eternal.",
		source: "JSR-107: null arguments, MutableConfiguration.setExpiryPolicyFactory",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			var none jcache.Processor[string, string, int]
			_, err := jcache.Invoke(e.ctx, c, key, none)
			e.is("Invoke", err, jcache.ErrInvalid)
			_, err = jcache.InvokeEntry(e.ctx, c, jcache.Entry[string, string]{Key: key}, none)
			e.is("InvokeEntry", err, jcache.ErrInvalid)
			_, err = jcache.InvokeAll(e.ctx, c, []string{key}, none)
			e.is("InvokeAll", err, jcache.ErrInvalid)
			if e.suite.features.Without(e.disabled...).Locker != nil {
				_, err = jcache.InvokeExclusive(e.ctx, c, key, lockLease, none)
				e.is("InvokeExclusive", err, jcache.ErrInvalid)
				_, err = jcache.InvokeExclusive(e.ctx, c, key, 0, readValue)
				e.is("InvokeExclusive without a lease", err, jcache.ErrInvalid)
			}
			e.ok(c.WithExpiryPolicy(nil).Put(e.ctx, key, newValue))
			e.equal("put through a view without a policy", e.value(c.WithExpiryPolicy(nil).Get(e.ctx, key)), newValue)
		},
	},
	{
		name:   "errors/a context that has ended",
		rule:   "An operation whose context has ended before it began does nothing; its error matches the context's.",
		source: "package jcache, Errors",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch},
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, oldValue))
			ended, cancel := context.WithCancel(e.ctx)
			cancel()
			for _, op := range operations {
				if !op.needs.met(e.suite.features.Without(e.disabled...)) {
					continue
				}
				_, err := op.run(ended, c, []string{key, otherKey}, newValue, oldValue)
				e.is(op.name, err, context.Canceled)
				checkError(e, op.name, err)
				e.equal("a present key after "+op.name, e.value(c.Get(e.ctx, key)), oldValue)
				e.equal("an absent key after "+op.name, e.value(c.Get(e.ctx, otherKey)), absent)
			}
			_, err := jcache.CreateCache(ended, c.Manager(), e.name+"-2", jcache.Options[string, string]{})
			if err != nil {
				e.is("CreateCache", err, context.Canceled)
			}
		},
	},
	{
		name:   "errors/an undecodable record",
		rule:   "A record that was written with another codec is ErrUndecodable, one of another type ErrTypeMismatch; only reading it fails, and it can be overwritten and removed.",
		source: "jcache.ErrUndecodable, jcache.ErrTypeMismatch",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureExchange},
		run: func(e *env) {
			m := e.manager(0)
			texts := createCache(e, m, e.name, jcache.Options[string, string]{})
			numbers := createCache(e, e.manager(1), e.name, jcache.Options[string, int]{})
			other := createCache(e, e.manager(0), e.name, jcache.Options[string, string]{Codec: jcache.JSON[string]()})
			e.ok(texts.Put(e.ctx, key, oldValue))
			_, _, err := numbers.Get(e.ctx, key)
			e.is("a text read as a number", err, jcache.ErrTypeMismatch)
			_, _, err = other.Get(e.ctx, key)
			e.is("a value of another codec", err, jcache.ErrUndecodable)
			_, err = other.CompareAndRemove(e.ctx, key, oldValue)
			e.is("compareAndRemove of a value of another codec", err, jcache.ErrUndecodable)
			e.equal("contained", e.yes(numbers.ContainsKey(e.ctx, key)), true)

			e.ok(numbers.Put(e.ctx, otherKey, 7))
			found, err := numbers.GetAll(e.ctx, key, otherKey)
			e.is("getAll with one of another type", err, jcache.ErrTypeMismatch)
			e.equal("what getAll returns with the error", found, map[string]int{otherKey: 7})
			var batch *jcache.BatchError[string]
			if !errors.As(err, &batch) || len(batch.Failed) != 1 || batch.Failed[key] == nil || batch.Of != 2 {
				e.Errorf("getAll's error does not list the one key that failed: %v", err)
			}
			e.equal("removed", e.yes(other.Remove(e.ctx, key)), true)
			e.ok(texts.Put(e.ctx, key, oldValue))
			e.ok(numbers.Put(e.ctx, key, 8))
			n, _, err := numbers.Get(e.ctx, key)
			e.ok(err)
			e.equal("after overwriting", n, 8)
		},
	},
	{
		name:   "errors/say where",
		rule:   "Every error is an *Error that says which operation failed on which cache of which provider. It names neither key nor value.",
		source: "package jcache, Errors",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			var none jcache.Processor[string, string, int]
			_, err := jcache.Invoke(e.ctx, c, key, none)
			var where *jcache.Error
			if !errors.As(err, &where) {
				e.Fatalf("the error is a %T", err)
			}
			e.equal("the operation", where.Op, "invoke")
			e.equal("the cache", where.Cache, e.name)
			e.equal("the provider", where.Provider, e.suite.harness.Name)
		},
	},
}

// checkError looks at an error as every error has to be.
func checkError(e *env, what string, err error) {
	var where *jcache.Error
	if err == nil {
		return
	}
	if !errors.As(err, &where) || where.Cache != e.name || where.Op == "" {
		e.Errorf("%s: the error does not say which operation failed on which cache: %v", what, err)
		return
	}
	if errors.As(where.Err, &where) {
		e.Errorf("%s: the error says twice where it happened: %v", what, err)
	}
	e.audit.text(what, "", err)
}
