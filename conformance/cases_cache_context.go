package conformance

import (
	"context"
	"errors"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var contextErrorCases = []testCase{
	{
		name:   "errors/a context that ends under way",
		rule:   "The error of an operation whose context has ended matches the context's error, whatever else it matches; that of a context that was cancelled does not match ErrUnavailable.",
		source: "package jcache, Errors",
		uses:   []driver.Feature{driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch},
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{ExpiryPolicy: jcache.Touched[string, string](time.Hour)})
			e.ok(c.PutAll(e.ctx, manyKeys(30)))
			f := e.suite.features.Without(e.disabled...)
			for round := range 20 { // from at once to long afterwards
				after := time.Duration(round*round) * 5 * time.Microsecond
				for _, op := range operations {
					if op.whole && op.name != "iterate" || !op.needs.met(f) {
						continue
					}
					late, cancelLate := context.WithTimeout(e.ctx, after)
					_, err := op.run(late, c, []string{key, otherKey}, newValue, oldValue)
					e.ended(op.name+", too late", err, context.DeadlineExceeded)
					cancelLate()

					cancelled, cancel := context.WithCancel(e.ctx)
					timer := time.AfterFunc(after, cancel)
					_, err = op.run(cancelled, c, []string{key, otherKey}, newValue, oldValue)
					e.ended(op.name+", cancelled", err, context.Canceled)
					if errors.Is(err, jcache.ErrUnavailable) {
						e.Errorf("%s, cancelled: the provider is blamed: %v", op.name, err)
					}
					timer.Stop()
					cancel()
				}
			}
			e.ok(c.Put(e.ctx, key, newValue))
			e.equal("afterwards", e.value(c.Get(e.ctx, key)), newValue)
		},
	},
}

// ended checks the error of an operation whose context may have ended.
func (e *env) ended(what string, err, want error) {
	if err != nil && !errors.Is(err, want) {
		e.Errorf("%s: got error %v, want %v", what, err, want)
	}
}
