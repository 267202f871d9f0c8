package conformance

import (
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// watchDefects break watching.
var watchDefects = []defect{
	{"a watch out of order", "watch/events of a key in order", func(b *broken) {
		var held []driver.Event
		b.breakWatch(func(on func(driver.Event), e driver.Event) {
			if held = append(held, e); len(held) == 2 {
				on(held[1])
				on(held[0])
				held = nil
			}
		})
	}},
	{"a watch that loses events and says nothing", "watch/events of a key in order", func(b *broken) {
		n := 0
		b.breakWatch(func(on func(driver.Event), e driver.Event) {
			if n++; n%20 > 0 {
				on(e)
			}
		})
	}},
	{"a watch that goes on after stop", "watch/stop", func(b *broken) {
		b.breakWatch(func(on func(driver.Event), e driver.Event) { time.AfterFunc(10*time.Millisecond, func() { on(e) }) })
	}},
	{"an expiry that is told as a removal", "watch/expiry is no removal", func(b *broken) {
		b.breakWatch(func(on func(driver.Event), e driver.Event) {
			if e.Kind == driver.EventExpired {
				e.Kind = driver.EventRemoved
			}
			on(e)
		})
	}},
}
