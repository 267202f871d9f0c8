package conformance

import (
	"errors"
	"slices"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A testCase is a rule and a way to see it broken.
type testCase struct {
	name   string
	rule   string // a sentence of the contract
	source string // where the contract says so
	needs  need
	// uses names the optional interfaces that the operations of a cache case go
	// through where there are any. The case also runs without each of them.
	uses []driver.Feature
	run  func(*env)

	group    string
	disabled []driver.Feature
}

func (c testCase) fullName() string { return c.group + "/" + c.name }

func (c testCase) concerns(f driver.Feature) bool {
	return slices.Contains(c.uses, f) || slices.Contains(c.needs.anyOf, f)
}

// A need is what a case cannot do without.
type need struct {
	// anyOf names optional interfaces of which one is enough.
	anyOf []driver.Feature
	// try calls an operation that has no fallback. Nil: every operation has one.
	try func(*env, *jcache.Cache[string, string]) error
}

func (n need) met(f driver.Features) bool {
	if len(n.anyOf) == 0 {
		return true
	}
	return slices.ContainsFunc(f.List(), func(f driver.Feature) bool { return slices.Contains(n.anyOf, f) })
}

// refused checks that an operation whose need is not met says so.
func (n need) refused(e *env) {
	if n.try == nil {
		return
	}
	if err := n.try(e, newCache(e, jcache.Options[string, string]{})); !errors.Is(err, errors.ErrUnsupported) {
		e.Errorf("without %v the operation must fail with an error that wraps errors.ErrUnsupported; the error is %v", n.anyOf, err)
	}
}

// needing is the need of a driver case.
func needing(f driver.Feature) need { return need{anyOf: []driver.Feature{f}} }

var (
	iterating = need{
		anyOf: []driver.Feature{driver.FeatureScan},
		try: func(e *env, c *jcache.Cache[string, string]) error {
			for _, err := range c.All(e.ctx) {
				return err
			}
			return nil
		},
	}
	emptying = need{
		anyOf: []driver.Feature{driver.FeatureClear, driver.FeatureScan},
		try: func(e *env, c *jcache.Cache[string, string]) error {
			return c.Clear(e.ctx)
		},
	}
	counting = need{
		anyOf: []driver.Feature{driver.FeatureSize, driver.FeatureScan},
		try: func(e *env, c *jcache.Cache[string, string]) error {
			_, err := c.Size(e.ctx)
			return err
		},
	}
	locking = need{
		anyOf: []driver.Feature{driver.FeatureLock},
		try: func(e *env, c *jcache.Cache[string, string]) error {
			_, err := jcache.InvokeExclusive(e.ctx, c, key, lockLease, readValue)
			return err
		},
	}
)
