package part_test

import (
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

const sessionTTL = 3000 * ms

// session keeps a record alive by touching it, and checks that it never expires early.
func (c *clients) session(id uint64, stop *bool) {
	var seq uint64
	var token part.Version
	var until int64 // it must be there until then
	key := fmt.Sprint("session", id)
	var next func()
	next = func() {
		if *stop {
			return
		}
		seq++
		req := part.Request{Kind: part.Get, Op: part.OpID{Client: id, Seq: seq}, Cache: "sessions", Key: key, Token: token,
			TTL: time.Duration(sessionTTL), Expires: c.now + opTime}
		switch {
		case token == 0:
			req.Kind, req.Record = part.Put, []byte(key)
		case c.rand.IntN(3) > 0:
			req.Kind = part.Touch
		}
		o := &operation{kind: req.Kind, key: key, call: c.now}
		c.open++
		c.attempt(req, o, func() {
			c.open--
			res := &o.result
			switch {
			case res.Status != part.OK && res.Status != part.NotSwapped:
			case req.Kind == part.Put:
				token, until = res.Version, o.call+sessionTTL
			case req.Kind == part.Touch && res.Status == part.OK && !res.Repeated:
				until = o.call + sessionTTL
			case !res.Present.OK && !res.Repeated:
				if c.now < until {
					c.fail("%s expired %d ms early", key, (until-c.now)/ms)
				}
				token = 0
			}
			c.after(ms*c.rand.Int64N(600), next)
		})
	}
	next()
}
