package conformance

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/conformance/internal/proxy"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// networkCases break the network between the driver and its server.
var networkCases = slices.Concat(
	[]testCase{throughTheProxy},
	forEach("an error is never told as absence/", ruleAbsent, readCalls, func(e *env, c call) {
		n := e.network()
		for _, f := range []proxy.Fault{proxy.LoseRequest, proxy.LoseAnswer, proxy.CutAnswer, proxy.HalfClose, proxy.Mute, proxy.Refuse} {
			n.tryAll(c, f, nil)
		}
	}),
	forEach("an error is never swallowed/", ruleSwallowed, writeCalls, func(e *env, c call) {
		n := e.network()
		for _, f := range []proxy.Fault{proxy.LoseRequest, proxy.Refuse} {
			n.tryAll(c, f, nil)
		}
		n.after()
	}),
	forEach("a lost acknowledgement is an unknown outcome/", ruleOutcome, writeCalls, func(e *env, c call) {
		n := e.network()
		for _, f := range []proxy.Fault{proxy.LoseAnswer, proxy.CutAnswer, proxy.HalfClose, proxy.Mute, proxy.Stall} {
			n.tryAll(c, f, nil)
		}
		n.after()
	}),
	// A Clear may go on to clear what is put meanwhile.
	forEach("nothing is carried out twice/", ruleOnce, slices.DeleteFunc(slices.Clone(writeCalls), func(c call) bool { return c.whole }), func(e *env, c call) {
		n := e.network()
		n.tryAll(c, proxy.LoseAnswer, (*attempt).meddle)
		n.after()
	}),
	forEach("the context is obeyed/", ruleContext, slices.Concat(readCalls, writeCalls, otherCalls), func(e *env, c call) {
		n := e.network()
		for _, f := range []proxy.Fault{proxy.Stall, proxy.StallNew} {
			n.try(c, f, 0, nil)
			n.cancel(c, f)
		}
		n.after()
	}),
	forEach("slow answers are answers/", ruleSlow, slices.Concat(readCalls, writeCalls), func(e *env, c call) {
		n := e.network()
		t := n.prepare(c)
		n.works()
		n.proxy.Begin(proxy.Delay, 0, nil)
		n.run(e.ctx, t)
		for _, claim := range t.claims {
			if claim.err != nil {
				e.Errorf("%s: %v", c.name, claim.err)
			}
		}
		t.judge(e)
	}),
	[]testCase{recovery, gap, closeConnections, closeInSilence},
)

// forEach makes a case of each call.
func forEach(name string, r rule, calls []call, run func(*env, call)) []testCase {
	cases := make([]testCase, len(calls))
	for i, c := range calls {
		cases[i] = testCase{name: name + c.name, rule: r.text, source: r.source, needs: c.needs, run: func(e *env) { run(e, c) }}
	}
	return cases
}

// cancel makes a call whose context is cancelled while the network is broken.
func (n *network) cancel(c call, f proxy.Fault) {
	t := n.prepare(c)
	t.what = fmt.Sprintf("%s, cancelled at %v", c.name, f)
	n.works()
	ctx, cancel := context.WithCancel(n.e.ctx)
	defer cancel()
	n.proxy.Begin(f, 0, nil)
	timer := time.AfterFunc(patienceSilent/4, cancel)
	defer timer.Stop()
	n.run(ctx, t)
	t.judge(n.e)
	n.works()
}

var throughTheProxy = testCase{
	name: "the connection goes through the proxy", rule: ruleProxied.text, source: ruleProxied.source,
	run: func(e *env) {
		n := e.network()
		t := n.prepare(writeCalls[0])
		n.proxy.Begin(proxy.Refuse, 0, nil)
		ctx, cancel := context.WithTimeout(e.ctx, patienceSilent)
		defer cancel()
		n.run(ctx, t)
		if t.state(0) == t.call.after {
			e.Errorf("a record arrived although the proxy refused every connection")
		}
		n.works()
	},
}

var recovery = testCase{
	name: "a provider recovers by itself", rule: ruleRecovers.text, source: ruleRecovers.source,
	run: func(e *env) {
		n := e.network()
		for _, f := range []proxy.Fault{proxy.Refuse, proxy.Stall, proxy.StallNew, proxy.Refuse} {
			n.proxy.Begin(f, 0, nil)
			for range 3 {
				_, _, _ = n.get(patienceSilent) // other cases look at the errors
			}
			n.works()
			n.far.put(key, textAfter)
			e.equal("written after "+f.String(), n.near.get(key), textAfter)
		}
	},
}

var gap = testCase{
	name: "a watcher hears of a gap", rule: ruleGap.text, source: ruleGap.source, needs: needing(driver.FeatureWatch),
	run: func(e *env) {
		n := e.network()
		l := n.far.watch()
		n.near.put(key, "first")
		l.await(key, 1)
		if l.lost() {
			return
		}
		n.proxy.Begin(proxy.Refuse, 0, nil)
		const missed = 20
		for i := range missed {
			n.near.put(otherKey, fmt.Sprint(i))
		}
		e.wait(in(100 * time.Millisecond))
		n.works()
		e.eventually(recoversWithin, "events after the network was broken", func() bool {
			n.near.put(key, "again")
			return len(l.of(key)) > 1
		})
		e.eventually(eventTimeout, fmt.Sprintf("an EventGap, or all of the %d events from when the network was broken", missed), func() bool {
			return l.lost() || len(l.of(otherKey)) == missed
		})
	},
}

var closeConnections = testCase{
	name: "close ends every connection", rule: ruleCloses.text, source: ruleCloses.source,
	run: func(e *env) {
		n := e.networkTo()
		c, err := n.provider.OpenCache(e.ctx, e.name, driver.CacheOptions{})
		e.ok(err)
		e.parallel(8, func(i int) { e.ok(c.Put(e.ctx, fmt.Sprint(keyMark, i), record(textBefore), never)) })
		n.proxy.Begin(proxy.Stall, 0, nil)
		n.far = client{c, e, driver.FeaturesOf(c)}
		if _, _, err := n.get(patienceSilent); err == nil { // one that was given up leaves nothing either
			e.Errorf("a Get on a stalled connection returned no error")
		}
		e.ok(n.proxy.Heal())
		e.ok(c.Close())
		n.closes(5 * time.Second)
	},
}

var closeInSilence = testCase{
	name: "close ends when its context does", rule: ruleCloses.text, source: ruleCloses.source,
	run: func(e *env) {
		n := e.networkTo()
		c, err := n.provider.OpenCache(e.ctx, e.name, driver.CacheOptions{})
		e.ok(err)
		e.ok(c.Put(e.ctx, key, record(textBefore), never))
		n.proxy.Begin(proxy.Stall, 0, nil)
		if err := c.Close(); err != nil {
			e.Errorf("close the cache: %v", err)
		}
		n.closes(patienceSilent)
	},
}

// closes closes the provider and looks what is left.
func (n *network) closes(patience time.Duration) {
	ctx, cancel := context.WithTimeout(n.e.ctx, patience)
	defer cancel()
	n.wait(ctx, &ruleCloses, "close", func() {
		if err := n.closeProvider(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
			n.e.Errorf("close: %v", err)
		}
	})
	n.e.ok(n.proxy.Heal())
	n.e.eventually(2*time.Second, "every connection is closed", func() bool { return n.proxy.Open() == 0 })
}
