package conformance

import (
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var touchCases = []testCase{
	{
		name:   "touch/moves the deadline",
		rule:   "Touch gives the record under key a new deadline. A driver that implements Toucher returns deadlines in Item.Deadline.",
		source: "driver.Toucher",
		needs:  needing(driver.FeatureTouch),
		run: func(e *env) {
			a, b := e.pair()
			first, later := in(time.Hour), in(2*time.Hour)
			a.putUntil(key, "one", first)
			e.equal("the deadline that was put", b.item(key).Deadline.Equal(first), true)
			e.equal("touched", a.touch(key, later), true)
			e.equal("the deadline that was moved", b.item(key).Deadline.Equal(later), true)
			e.equal("touched", a.touch(key, never), true)
			e.equal("no deadline after a touch with the zero deadline", b.item(key).Deadline.IsZero(), true)
			e.equal("the record", b.get(key), "one")
		},
	},
	{
		name:   "touch/an absent key",
		rule:   "Touching an absent key is touched == false.",
		source: "driver.Toucher",
		needs:  needing(driver.FeatureTouch),
		run: func(e *env) {
			c := e.open()
			c.put(key, "one")
			token := c.item(key).Token
			c.delete(key)
			e.equal("touched", c.touchIf(key, token, in(time.Hour)), false)
			e.equal("touched with the zero token", c.touchIf(key, driver.Token{}, in(time.Hour)), false)
			e.equal("after touching an absent key", c.get(key), absent)
			deadline := in(time.Second)
			c.putUntil(key, "one", deadline)
			token = c.item(key).Token
			e.wait(deadline.Add(20 * time.Millisecond))
			e.equal("touched after the deadline", c.touchIf(key, token, in(time.Hour)), false)
			e.equal("after touching an expired key", c.get(key), absent)
		},
	},
	{
		name:   "touch/a stale token",
		rule:   "If the key was written since, Touch changes nothing and touched is false.",
		source: "driver.Toucher",
		needs:  needing(driver.FeatureTouch),
		run: func(e *env) {
			a, b := e.pair()
			first := in(time.Hour)
			a.put(key, "one")
			token := a.item(key).Token
			b.putUntil(key, "two", first)
			e.equal("touched", a.touchIf(key, token, in(2*time.Hour)), false)
			e.equal("the deadline that was put", a.item(key).Deadline.Equal(first), true)
			e.equal("the record", a.get(key), "two")
		},
	},
	{
		name:   "touch/keeps the token",
		rule:   "Touch does not change the record's token.",
		source: "driver.Toucher",
		needs:  needing(driver.FeatureTouch),
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			token := a.item(key).Token
			b.touch(key, in(time.Hour))
			swapped, _ := a.swap(key, token, "two")
			e.equal("swapped with the token from before the touch", swapped, true)
			e.equal("stored", b.get(key), "two")
			e.equal("the swap's deadline holds: the record has none", b.item(key).Deadline.IsZero(), true)
		},
	},
	{
		name:   "touch/into the past",
		rule:   "A record is found until its deadline: one that was moved into the past ends the record.",
		source: "driver.Toucher",
		needs:  needing(driver.FeatureTouch),
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			a.touch(key, in(-time.Second))
			e.equal("after a touch into the past", b.get(key), absent)
		},
	},
}

func (c client) touchIf(key string, token driver.Token, deadline time.Time) bool {
	return c.e.yes(c.f.Toucher.Touch(c.e.ctx, key, token, deadline))
}

// touch touches the version that is there, if any.
func (c client) touch(key string, deadline time.Time) bool {
	item := c.item(key)
	return c.touchIf(key, item.Token, deadline)
}
