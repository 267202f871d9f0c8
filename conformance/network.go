package conformance

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/internal/proxy"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The rules for a broken network.
var (
	ruleProxied   = rule{"Harness.ConnectTo opens a connection that goes through addr and nowhere else.", "package conformance"}
	ruleSwallowed = rule{"An error is never swallowed: a write that returns none was carried out.", "driver contract 5"}
	ruleAbsent    = rule{"An error is never told as absence: only a key that has no record is found == false with a nil error.", "driver.Cache.Get"}
	ruleKnown     = rule{"Trouble with the backend is an error that matches ErrUnavailable, or ErrIndeterminate if a write was sent.", "driver.ErrUnavailable, driver.ErrIndeterminate"}
	ruleOnce      = rule{"A write is carried out once: what was sent is not sent again.", "driver contract 8"}
	ruleBelongs   = rule{"An answer belongs to its call: that of a call which was given up is not given to another.", "driver contract 3"}
	ruleRecovers  = rule{"A provider recovers by itself: calls succeed again once the backend is back.", "driver contract 9"}
	ruleSlow      = rule{"An answer that comes late, or in pieces, is an answer.", "driver contract 9"}
	ruleGap       = rule{"EventGap: events were lost; anything may have happened to any key. A watcher lives on when the connection breaks.", "driver.EventGap"}
	ruleCloses    = rule{"Close releases every connection and waits for every goroutine of the provider.", "driver.Provider.Close"}
)

const (
	// A call whose connection breaks learns of it, so it needs no end of its context; one
	// that nobody answers does.
	patienceBroken = 3 * time.Second
	patienceSilent = 200 * time.Millisecond
	// recoversWithin is how long a provider may need to find back to its backend.
	recoversWithin = 20 * time.Second
	// arrivesWithin is how long after a fault something may still be under way.
	arrivesWithin = 300 * time.Millisecond
	// mostRequests bounds the requests of one call that are struck.
	mostRequests = 3
)

// A network is a cache as a client sees it through a proxy, and as an observer does whose
// connection never breaks.
type network struct {
	e        *env
	proxy    *proxy.Proxy
	provider driver.Provider // through the proxy; what it is asked is audited
	far      client          // likewise
	near     client
	attempts []*attempt
	count    int

	closeProvider func(context.Context) error // once
}

const steady = keyMark + "steady"

// network connects through a proxy.
func (e *env) network() *network {
	n := e.networkTo()
	n.near = e.openOn(auditedProvider{e.suite.observer, e.audit}, e.name)
	n.near.put(steady, valueMark+"steady")
	n.far = e.openOn(n.provider, e.name)
	n.works()
	if n.proxy.Taken() == 0 {
		e.breaks(&ruleProxied, "no connection was made to addr")
		runtime.Goexit()
	}
	return n
}

// networkTo connects through a proxy and opens no cache.
func (e *env) networkTo() *network {
	p, err := proxy.Start(e.suite.harness.Server)
	e.ok(err)
	e.Cleanup(p.Close)
	provider := e.suite.harness.ConnectTo(e, p.Addr())
	closed := false
	n := &network{e: e, proxy: p, provider: auditedProvider{provider, e.audit}}
	n.closeProvider = func(ctx context.Context) error {
		closed = true
		return provider.Close(ctx)
	}
	e.Cleanup(func() {
		if closed {
			return
		}
		ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), 10*time.Second)
		defer cancel()
		if err := n.closeProvider(ctx); err != nil {
			e.breaks(&ruleCloses, "close a connection whose network was broken: %v", err)
		}
	})
	return n
}

// works waits until the network and the client are whole again.
func (n *network) works() {
	n.e.ok(n.proxy.Heal())
	var last error
	for end := time.Now().Add(recoversWithin); time.Now().Before(end); n.e.wait(time.Now().Add(10 * time.Millisecond)) {
		item, found, err := n.get(time.Second)
		if last = err; err != nil {
			continue
		}
		if found && text(item) == valueMark+"steady" {
			return
		}
		broken := &ruleBelongs
		if again, found, err := n.get(time.Second); err == nil && found && text(again) == valueMark+"steady" {
			broken = &ruleAbsent // it was an error that was told otherwise
		}
		n.e.breaks(broken, "after a fault: Get returns no error, and not what is there")
		runtime.Goexit()
	}
	n.e.breaks(&ruleRecovers, "%v after the network is whole again: %v", recoversWithin, last)
	runtime.Goexit()
}

// get reads the steady record.
func (n *network) get(patience time.Duration) (item driver.Item, found bool, err error) {
	ctx, cancel := context.WithTimeout(n.e.ctx, patience)
	defer cancel()
	n.wait(ctx, &ruleContext, "get", func() { item, found, err = n.far.Get(ctx, steady) })
	return item, found, err
}

// An attempt is one call in a broken network.
type attempt struct {
	call      call
	what      string // the call and its fault, for reports
	keys      []string
	items     []driver.Item   // what was there
	provider  driver.Provider // through the proxy, as far
	near, far client

	mu       sync.Mutex
	claims   []claim
	seen     []bool // the observer has seen that it was carried out
	replaced []bool // and has written something else since
}

// A claim is what a call tells about one of its keys.
type claim struct {
	err   error
	right bool // without an error: the result is what it has to be
	// refused says that a swap was told to have met another token.
	refused bool
}

// prepare gives the call keys of its own.
func (n *network) prepare(c call) *attempt {
	n.count++
	t := &attempt{call: c, what: c.name, provider: n.provider, near: n.near, far: n.far}
	if c.whole {
		name := fmt.Sprintf("%s-%d", n.e.name, n.count)
		t.near, t.far = n.e.openOn(auditedProvider{n.e.suite.observer, n.e.audit}, name), n.e.openOn(n.provider, name)
	}
	for i := range max(c.keys, 1) {
		k := fmt.Sprintf("%s%d.%d", keyMark, n.count, i)
		t.keys = append(t.keys, k)
		var item driver.Item
		if c.before != absent {
			t.near.put(k, c.before)
			item = t.near.item(k)
		}
		t.items = append(t.items, item)
	}
	t.claims, t.seen, t.replaced = make([]claim, len(t.keys)), make([]bool, len(t.keys)), make([]bool, len(t.keys))
	n.attempts = append(n.attempts, t)
	return t
}

// try makes a call while its nth request, or all of the network, meets a fault. It
// reports whether there was such a request.
func (n *network) try(c call, f proxy.Fault, nth int, struck func(*attempt)) bool {
	t := n.prepare(c)
	t.what = fmt.Sprintf("%s, and %v", c.name, f)
	n.works()
	patience := patienceBroken
	if f == proxy.Mute || f.Lasts() {
		patience = patienceSilent
	}
	ctx, cancel := context.WithTimeout(n.e.ctx, patience)
	defer cancel()
	n.proxy.Begin(f, nth, func() {
		if struck != nil {
			n.e.do(func() { struck(t) })
		}
	})
	n.run(ctx, t)
	met := n.proxy.Struck()
	t.judge(n.e)
	n.works()
	return met
}

// tryAll makes a call as often as it has requests that the fault can meet.
func (n *network) tryAll(c call, f proxy.Fault, struck func(*attempt)) {
	for nth := range mostRequests {
		if met := n.try(c, f, nth, struck); !met || f.Lasts() {
			return
		}
	}
}

// run makes a call, and looks what it says of the end of its context.
func (n *network) run(ctx context.Context, t *attempt) {
	var ended error // as the call returned
	n.wait(ctx, &ruleContext, t.what, func() {
		t.call.run(ctx, t)
		ended = endOf(ctx)
	})
	if ended == nil {
		return
	}
	// Of a batch, one that says so is enough: the others may have failed before.
	var failed error
	for _, c := range t.claims {
		if failed = c.err; errors.Is(c.err, ended) {
			return
		}
	}
	if failed != nil {
		n.e.breaks(&ruleContext, "%s: the context has ended, but the error does not match %v: %v", t.what, ended, failed)
	}
}

// wait makes a call and waits for it, but not much longer than its context lasts: that
// would break a rule.
func (n *network) wait(ctx context.Context, r *rule, what string, call func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		n.e.do(call)
	}()
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	late := time.NewTimer(lateAfter + surelyAfter) // the auditor reports what is only a little late
	defer late.Stop()
	select {
	case <-over:
	case <-late.C:
		n.e.breaks(r, "%s: it had not returned %v after the end of its context", what, lateAfter)
		n.proxy.Close() // which ends whatever it waits for
		<-over
		runtime.Goexit()
	}
}

// endOf returns the error of a context that has ended, even if it does not know yet that
// its deadline has passed; or nil.
func endOf(ctx context.Context) error {
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) && ctx.Err() == nil {
		return context.DeadlineExceeded
	}
	return ctx.Err()
}

// state is what the observer finds under a key.
func (t *attempt) state(i int) string {
	item, found, err := t.near.Get(t.near.e.ctx, t.keys[i])
	t.near.e.ok(err)
	if !found {
		return absent
	}
	if !item.Deadline.IsZero() {
		return text(item) + untilLater
	}
	return text(item)
}

// judge compares what the call told with what is there, right after it.
func (t *attempt) judge(e *env) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for i, c := range t.claims {
		if c.err != nil {
			t.judgeError(e, c.err)
			continue
		}
		if t.call.reads {
			if !c.right {
				e.breaks(&ruleAbsent, "%s: it returned no error, and not what is there", t.what)
			}
			continue
		}
		done := t.seen[i] || t.state(i) == t.call.after
		switch {
		case !done:
			e.breaks(&ruleSwallowed, "%s: it returned no error, but it was not carried out", t.what)
		case c.refused:
			e.breaks(&ruleOnce, "%s: it is told that another token was met, although it was carried out", t.what)
		case !c.right:
			e.breaks(&ruleOnce, "%s: its result is not that of the time when it was carried out", t.what)
		}
	}
}

func (t *attempt) judgeError(e *env, err error) {
	switch indeterminate := errors.Is(err, driver.ErrIndeterminate); {
	case t.call.reads && indeterminate:
		e.breaks(&ruleKnown, "%s: a call that writes nothing has no unknown outcome: %v", t.what, err)
	case indeterminate, errors.Is(err, driver.ErrUnavailable):
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
	default:
		e.breaks(&ruleKnown, "%s: the error matches neither: %v", t.what, err)
	}
}

// after looks at all attempts again, when nothing is under way any more.
func (n *network) after() {
	n.e.wait(time.Now().Add(arrivesWithin))
	for _, t := range n.attempts {
		if t.call.reads {
			continue
		}
		for i, c := range t.claims {
			now := t.state(i)
			switch {
			case t.replaced[i] && now != t.call.other():
				n.e.breaks(&ruleOnce, "%s: it was carried out, another client wrote, and it was carried out again", t.what)
			case c.err != nil && !errors.Is(c.err, driver.ErrIndeterminate) && (t.seen[i] || now != t.call.before):
				n.e.breaks(&ruleOutcome, "%s: it was carried out, although its error is not ErrIndeterminate: %v", t.what, c.err)
			case c.err == nil && c.right && !t.replaced[i] && now != t.call.after:
				n.e.breaks(&ruleSwallowed, "%s: it returned no error, and what it did is undone", t.what)
			}
		}
	}
}

// meddle waits until the call was carried out, and then writes to its keys.
func (t *attempt) meddle() {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := t.near.e
	for end := time.Now().Add(arrivesWithin); time.Now().Before(end); {
		for i, k := range t.keys {
			if t.seen[i] || t.state(i) != t.call.after {
				continue
			}
			t.seen[i], t.replaced[i] = true, true
			if t.call.other() == absent {
				t.near.delete(k)
			} else {
				t.near.put(k, t.call.other())
			}
			end = time.Now() // of a batch, what was sent with it
		}
		e.wait(time.Now().Add(time.Millisecond))
	}
}
