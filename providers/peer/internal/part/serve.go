package part

import (
	"bytes"
	"cmp"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
)

// Do executes a request, now or when it can be. Flush must follow, once for any number
// of requests. Every request is answered once, at the first tick after Expires at the
// latest.
func (r *Replica) Do(now Now, req *Request, fx *Effects) {
	req.arrived = now.Mono
	if !r.Shares(req.Lineage) {
		r.reply(fx, req, Result{Status: NotPrimary, Epoch: r.epoch})
		return
	}
	r.run(now, req, fx)
}

// Shares reports whether a request that was sent under a lineage may be executed here. Another
// lineage may be another side of a split.
func (r *Replica) Shares(lineage uint64) bool {
	return lineage == r.lineage || lineage == 0 || !r.o.Rules.On(rules.FenceRequests)
}

// Flush sends the writes that Do left, and answers those that are committed.
func (r *Replica) Flush(now Now, fx *Effects) { r.advance(now, fx) }

// Get reads a record at the primary. The status is OK; or Wait, if Do must be asked; or
// NotPrimary. It does not allocate, and may run at the same time as other calls of Get
// and Peek.
func (r *Replica) Get(now Now, cache, key string) (Found, Status) {
	switch {
	case r.lead == nil:
		return Found{}, NotPrimary
	case !r.serves(now):
		return Found{}, Wait
	}
	sp, e := r.lookup(cache, key)
	if sp != nil && sp.busy > 0 || e != nil && e.busy > 0 {
		if r.o.Rules.On(rules.Barrier) {
			return Found{}, Wait
		}
	}
	if !e.live() {
		return Found{}, OK
	}
	if e.expired(now.Mono) {
		return Found{}, Wait
	}
	if sp.evicts {
		e.use(now.Mono)
	}
	return e.found(now.Mono, r.origin), OK
}

// Peek reads a record at any replica in sync. It sees all acknowledged writes, and
// perhaps some that are not yet. The status is OK; or Wait, if the primary must be asked,
// which alone decides that a record has expired; or NotPrimary, if this member is not in
// sync.
func (r *Replica) Peek(now Now, cache, key string) (Found, Status) {
	switch {
	case r.lead == nil && (r.follow == nil || r.follow.learning != nil):
		return Found{}, NotPrimary
	case r.held, r.mute(), !r.leased(now), r.lead != nil && !r.lead.serving():
		return Found{}, Wait
	}
	_, e := r.lookup(cache, key)
	if !e.live() {
		return Found{}, OK
	}
	if e.expired(now.Mono) {
		return Found{}, Wait
	}
	return e.found(now.Mono, r.origin), OK
}

func (r *Replica) leased(now Now) bool { return now.Mono < now.Lease || !r.o.Rules.On(rules.Lease) }

// serves reports whether the primary may answer from what it has. While it gives that to another
// cluster it may not: there are later writes.
func (r *Replica) serves(now Now) bool { return !r.held && !r.mute() && r.reigns(now) }

func (r *Replica) mute() bool { return r.frozen && r.o.Rules.On(rules.Mute) }

// reigns reports whether the primary may write.
func (r *Replica) reigns(now Now) bool {
	return r.lead.serving() && len(r.fences) == 0 && r.leased(now)
}

// run executes a request, or has it wait.
func (r *Replica) run(now Now, req *Request, fx *Effects) {
	l := r.lead
	switch {
	case l == nil:
		r.reply(fx, req, Result{Status: NotPrimary, Epoch: r.epoch})
		return
	case now.Mono >= req.Expires:
		r.reply(fx, req, Result{Status: Timeout})
		return
	case !r.serves(now), req.Kind != Get && (r.scarce() || l.full()):
		l.stalled = append(l.stalled, req)
		return
	}
	sp, e := r.lookup(req.Cache, req.Key)
	if e.live() && e.expired(now.Mono) && req.Kind != Clear {
		if l.full() {
			l.stalled = append(l.stalled, req)
			return
		}
		r.expire(now, sp, e)
	}
	if r.o.Rules.On(rules.Barrier) && r.waits(req, sp, e) {
		return
	}
	if req.Kind != Get && r.o.Rules.On(rules.Dedup) {
		if version, ok := r.done.find(req.Op); ok {
			r.repeat(now, req, e, version, fx)
			return
		}
	}
	r.execute(now, req, sp, e, fx)
}

// waits has a request wait for writes that are not committed, if its outcome depends on
// them: a Put's and a Clear's do not, unless it may be one of them.
func (r *Replica) waits(req *Request, sp *space, e *entry) bool {
	blind := false
	if req.Kind == Put || req.Kind == Clear {
		_, again := r.done.find(req.Op)
		blind = !again
	}
	switch {
	case blind:
		return false
	case e != nil && e.busy > 0:
		r.lead.blocked[e] = append(r.lead.blocked[e], req)
		return true
	case sp != nil && sp.busy > 0:
		r.lead.stalled = append(r.lead.stalled, req)
		return true
	}
	return false
}

// repeat answers a request that was executed before.
func (r *Replica) repeat(now Now, req *Request, e *entry, version Version, fx *Effects) {
	res := Result{Version: version, Copies: len(r.inSync), Repeated: true}
	if version == 0 && (req.Kind == Swap || req.Kind == Touch) {
		res.Status, res.Present = NotSwapped, r.present(e, now.Mono)
	}
	r.reply(fx, req, res)
}

// present is what a caller learns of an entry.
func (r *Replica) present(e *entry, now int64) Found {
	if !e.live() || e.expired(now) {
		return Found{}
	}
	return e.found(now, r.origin)
}

// execute carries a request out.
func (r *Replica) execute(now Now, req *Request, sp *space, e *entry, fx *Effects) {
	was := r.present(e, now.Mono)
	if was.OK && sp.evicts {
		e.use(now.Mono)
	}
	switch req.Kind {
	case Get:
		r.reply(fx, req, Result{Present: was})
	case Put:
		r.put(now, req, e, req.record(), req.ttl(now), Result{}, fx)
	case Delete:
		r.erase(now, req, was, Result{Present: was}, fx)
	case Exchange:
		if req.Record != nil {
			r.put(now, req, e, req.record(), req.ttl(now), Result{Present: was}, fx)
		} else {
			r.erase(now, req, was, Result{Present: was}, fx)
		}
	case Swap:
		switch {
		case was.Version != req.Token:
			r.decline(req, Result{Status: NotSwapped, Present: was}, fx)
		case req.Record != nil:
			r.put(now, req, e, req.record(), req.ttl(now), Result{}, fx)
		case !was.OK:
			r.reply(fx, req, Result{}) // it never changes anything
		default:
			r.erase(now, req, was, Result{}, fx)
		}
	case Touch:
		r.touch(now, req, sp, e, was, Result{}, fx)
	case Clear:
		it := Item{Kind: ItemClear, Cache: req.Cache, Op: req.Op, Version: r.stamp(now)}
		r.write(now, it, req, Result{})
	case Process:
		r.process(now, req, sp, e, was, fx)
	}
}

// decline answers a request that changes nothing, and remembers that: it must not change
// something when it is sent again.
func (r *Replica) decline(req *Request, res Result, fx *Effects) {
	r.done.note(req.Op, 0)
	r.reply(fx, req, res)
}

// record returns the record for the replica to keep.
func (req *Request) record() []byte {
	if req.Given {
		return req.Record
	}
	return slices.Clip(bytes.Clone(req.Record))
}

// put stores a record, which nobody changes any more.
func (r *Replica) put(now Now, req *Request, e *entry, record []byte, ttl time.Duration, res Result, fx *Effects) {
	if !r.makeRoom(now, req, e, len(record), fx) {
		return
	}
	if ttl < 0 {
		ttl = 1
	}
	it := Item{Cache: req.Cache, Key: req.Key, Record: record, Version: r.stamp(now),
		Left: ttl, TTL: ttl, Until: req.Until, Op: req.Op}
	r.write(now, it, req, res)
}

// erase deletes a record. Where records may come back, from a member that was left behind,
// what is absent leaves a tombstone, too: it stays deleted.
func (r *Replica) erase(now Now, req *Request, was Found, res Result, fx *Effects) {
	if !was.OK && !r.partial {
		r.decline(req, res, fx)
		return
	}
	it := Item{Kind: ItemDelete, Cache: req.Cache, Key: req.Key, Version: r.stamp(now), Op: req.Op}
	r.write(now, it, req, res)
}

func (r *Replica) process(now Now, req *Request, sp *space, e *entry, was Found, fx *Effects) {
	var f Processor
	if r.o.Processors != nil {
		f = r.o.Processors(req.Processor)
	}
	if f == nil {
		r.reply(fx, req, Result{Status: NoProcessor})
		return
	}
	d := f(was, req.Args)
	res := Result{Output: d.Output}
	timed := *req // with the deadline that the processor decided on
	timed.TTL, timed.Until, timed.Token = d.TTL, d.Until, was.Version
	switch {
	case d.Change == Store:
		r.put(now, &timed, e, slices.Clip(bytes.Clone(d.Record)), d.TTL, res, fx)
	case d.Change == Remove:
		r.erase(now, req, was, res, fx)
	case d.Change == Retime && was.OK:
		timed.arrived = now.Mono
		r.touch(now, &timed, sp, e, was, res, fx)
	default:
		r.decline(req, res, fx)
	}
}

// touch moves a deadline. The replicas hear of the first touch, and then when they know the
// deadline an eighth of the TTL too early or too late, so that most touches cost no
// message. That much grace they give a touched record when they become primary.
func (r *Replica) touch(now Now, req *Request, sp *space, e *entry, was Found, res Result, fx *Effects) {
	if !was.OK || was.Version != req.Token {
		r.decline(req, Result{Status: NotSwapped, Present: was}, fx)
		return
	}
	ttl := req.ttl(now)
	if ttl < 0 {
		ttl = 1
	}
	before, lag := e.deadline, e.lag
	if e.is(graced) {
		lag = unknownLag // the others know nothing of the grace
	}
	e.setDeadline(now.Mono, ttl, ttl, req.Until, r.origin)
	sp.schedule(e)
	e.lag = lag.add(spanOf(max(e.deadline-before, before-e.deadline)))
	known := e.is(touched)
	e.flags |= touched
	if known && before != 0 && e.deadline != 0 && e.lag <= e.ttl.grace() {
		res.Version, res.Copies = was.Version, len(r.inSync)
		r.reply(fx, req, res)
		return
	}
	it := Item{Kind: ItemTouch, Cache: req.Cache, Key: req.Key, Version: was.Version, Left: ttl, TTL: ttl, Until: req.Until,
		Touched: true, Op: req.Op}
	r.write(now, it, req, res)
}

// stamp returns the version of the next write.
func (r *Replica) stamp(now Now) Version {
	if !r.o.Rules.On(rules.Monotone) {
		return At(now.Wall).by(r.o.Self)
	}
	return r.clock.after(now.Wall, r.o.Self)
}

// write executes a write of the primary: it applies it, and appends it to the log. The
// request, which may be nil, is answered when it is committed.
func (r *Replica) write(now Now, it Item, req *Request, res Result) {
	sp := r.space(it.Cache)
	if sp.wheel == nil {
		r.rule(sp, now.Mono, false)
	}
	it.arrive(now.Mono)
	e, old := r.apply(&it, now.Mono, true)
	r.done.note(it.Op, it.Version)
	w := write{req: req, old: old, result: res}
	w.result.Version = it.Version
	switch it.Kind {
	case ItemClear:
		w.space = sp
		sp.busy++
	case ItemTouch:
		if w.touched = e; e != nil {
			w.deadline, e.lag = e.deadline, unknownLag
		}
	case ItemPut, ItemDelete:
		w.entry = e
		e.busy++
	}
	r.lead.add(it, w)
}

// expire removes a record whose deadline has passed.
func (r *Replica) expire(now Now, sp *space, e *entry) {
	r.counters.Expired++
	it := Item{Kind: ItemDelete, Cause: ByExpiry, Cache: sp.name, Key: e.key, Version: r.stamp(now)}
	r.write(now, it, nil, Result{})
}

func (r *Replica) reply(fx *Effects, req *Request, res Result) {
	if !r.Shares(req.Lineage) {
		res.Lineage = r.lineage
	}
	fx.Replies = append(fx.Replies, Reply{Tag: req.Tag, Result: res})
}

// waiting returns the requests that are not executed, by their tags.
func (l *leader) waiting() []*Request {
	list := slices.Clone(l.stalled)
	for _, reqs := range l.blocked {
		list = append(list, reqs...)
	}
	slices.SortFunc(list, func(a, b *Request) int { return cmp.Compare(a.Tag, b.Tag) })
	return list
}

// release takes requests out of those that wait to be executed, and returns them by their tags.
func (l *leader) release(which func(*Request) bool) (list []*Request) {
	take := func(req *Request) bool {
		if !which(req) {
			return false
		}
		list = append(list, req)
		return true
	}
	l.stalled = slices.DeleteFunc(l.stalled, take)
	for e, reqs := range l.blocked {
		if reqs = slices.DeleteFunc(reqs, take); len(reqs) == 0 {
			delete(l.blocked, e)
		} else {
			l.blocked[e] = reqs
		}
	}
	slices.SortFunc(list, func(a, b *Request) int { return cmp.Compare(a.Tag, b.Tag) })
	return list
}
