package sim

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// An ephemeral is a client with a key of its own, whose records expire. Since nobody
// else uses the key, it knows what must be there when.
type ephemeral struct {
	clients *clients
	client  int
	key     int

	written *op // the latest record
	ttl     time.Duration
	certain bool // it was stored, and nothing else can be
}

// ephemeralCache is a cache of its own, since clears do not concern the key.
const ephemeralCache = "ephemeral"

// begin writes a record, or reads it some time later.
func (e *ephemeral) begin() {
	w := e.clients.world
	if w.calm {
		return
	}
	o := e.clients.newOp(e.client, e.key)
	if o == nil {
		w.after(50*ms, e.begin)
		return
	}
	o.cache, o.done = ephemeralCache, e.ended
	if e.written == nil || w.now > e.written.end+int64(e.ttl)*2 {
		e.clients.value++
		e.ttl = time.Duration(w.between(500*ms, 1500*ms))
		o.kind, o.value, o.ttl = part.Put, e.clients.value, e.ttl
	}
	e.clients.open(o)
}

// ended looks at the outcome.
func (e *ephemeral) ended(o *op) {
	w := e.clients.world
	w.after(w.between(0, 150*ms), e.begin)
	if o.kind == part.Put {
		e.written, e.certain = o, o.outcome == done && !o.maybe
		return
	}
	if o.outcome != done || !e.certain || w.scenario.Splits {
		return
	}
	ttl := int64(e.ttl)
	switch found := o.result.Present.OK; {
	case !found && o.end < e.written.start+ttl-2*int64(maxSkew):
		w.watch.fail("%v expired before its time: %v", e.written, o)
	case found && o.start > e.written.end+ttl+ttl/8+int64(late):
		w.watch.fail("%v has not expired: %v", e.written, o)
	}
}

// late is how long after its deadline, and what a failover adds to it, a record may be
// seen: what is left of its time is counted from when a backup hears of it, which may
// have been paused.
const late = 1300 * time.Millisecond

// expired returns when the last record is gone everywhere.
func (e *ephemeral) expired() int64 {
	if e.written == nil {
		return 0
	}
	return e.written.end + int64(e.ttl+e.ttl/8+late)
}
