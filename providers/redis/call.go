package redis

import (
	"context"
	"errors"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A request makes its command anew for each attempt: the client uses commands again that were
// answered.
type request func(b rueidis.Builder) rueidis.Completed

// Between two attempts at what the server does not carry out now.
const (
	firstPause = 5 * time.Millisecond
	lastPause  = 100 * time.Millisecond
)

// most is how long a call may take at most: Clear waits for the leases of a generation.
func (o Options) most() time.Duration { return clearWait + o.ConnectTimeout + o.RequestTimeout }

// bound makes sure that no call is without a deadline: it could last for ever.
func (p *Provider) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, p.opts.most())
}

// read asks for something. The message is nil if there is none.
func (p *Provider) read(ctx context.Context, r request) (rueidis.RedisMessage, error) {
	return p.readOn(ctx, p.client, r)
}

// readOn asks one server for something.
func (p *Provider) readOn(ctx context.Context, server rueidis.Client, r request) (rueidis.RedisMessage, error) {
	return p.call(ctx, time.Now(), server, false, r)
}

// write changes something.
func (p *Provider) write(ctx context.Context, r request) (rueidis.RedisMessage, error) {
	return p.call(ctx, time.Now(), p.client, true, r)
}

// call makes a request, from now on, until it is answered. What may have been carried out is not repeated, unless it only
// reads.
func (p *Provider) call(ctx context.Context, now time.Time, server rueidis.Client, writes bool, r request) (rueidis.RedisMessage, error) {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := endedAt(ctx, now); err != nil {
		return rueidis.RedisMessage{}, failure(ctx, err, false)
	}
	retry := retrier{writes: writes, failsOver: p.failsOver()}
	for ; ; now = time.Now() {
		var result rueidis.RedisResult
		if writes && p.waitFor > 0 {
			result = p.exchangeDurably(ctx, r)
		} else {
			result = p.exchange(ctx, now, server, r)
		}
		m, err := result.ToMessage()
		if err == nil || rueidis.IsRedisNil(err) {
			return m, nil
		}
		if again, err := retry.after(ctx, err); !again {
			return rueidis.RedisMessage{}, err
		}
	}
}

// A retrier decides whether a request is made again.
type retrier struct {
	writes    bool
	failsOver bool // another server may serve in a moment
	pause     time.Duration
	repeats   bool // because of an attempt whose answer was lost
}

// after returns what an error means, or true once it is time for another attempt.
func (p *retrier) after(ctx context.Context, err error) (again bool, _ error) {
	a, refused := refusal(err)
	unsent := isDialling(err) || errors.Is(err, rueidis.ErrNoSlot)
	switch {
	case refused && a.passes:
		return p.paused(ctx), a.err()
	case refused:
		return false, a.err()
	case p.failsOver && ended(ctx) == nil && (unsent || !p.writes):
		return p.paused(ctx), failure(ctx, err, false)
	case !unsent && !p.writes && !p.repeats && ended(ctx) == nil:
		p.repeats = true
		return true, nil
	}
	return false, failure(ctx, err, p.writes)
}

// paused reports whether it is time for another attempt. One that has no time to be answered would
// leave its outcome open.
func (p *retrier) paused(ctx context.Context) bool {
	p.pause = min(max(2*p.pause, firstPause), lastPause)
	deadline, ok := ctx.Deadline()
	return (!ok || time.Until(deadline) >= 2*p.pause) && wait(ctx, p.pause)
}

// wait reports false if ctx ends first.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func isDialling(err error) bool {
	var dialling *dialError
	return errors.As(err, &dialling)
}

// exchange makes a request once, now.
func (p *Provider) exchange(ctx context.Context, now time.Time, server rueidis.Client, r request) rueidis.RedisResult {
	if p.link.settled(now) {
		result := server.Do(p.within(ctx, now), r(server.B()))
		if result.NonRedisError() != nil {
			p.link.stir()
		}
		return result
	}
	done := make(chan rueidis.RedisResult, 1)
	p.calls.Go(func() { done <- server.Do(ctx, r(server.B())) })
	select {
	case result := <-done:
		if result.NonRedisError() == nil && !p.clustered() { // elsewhere another connection may be in trouble
			p.link.calm(now)
		}
		return result
	case <-ctx.Done():
		p.link.stir()
		return rueidis.NewErrorResult(ctx.Err())
	}
}

// within returns what an exchange has to wait for on a connection that is not in trouble. It ends by itself before a deadline
// that the portable layer has set, since a connection without an answer is given up, so no timer is needed for that.
func (p *Provider) within(ctx context.Context, now time.Time) context.Context {
	if _, ok := ctx.(driver.Bounded); !ok {
		return ctx
	}
	if deadline, _ := ctx.Deadline(); deadline.Sub(now) < 2*silence+p.opts.RequestTimeout {
		return ctx
	}
	if cancellation := driver.Cancellation(ctx); cancellation != nil {
		return cancellation
	}
	return context.Background()
}

// exchangeAll makes several requests in one round trip.
func (p *Provider) exchangeAll(ctx context.Context, rs []request) []rueidis.RedisResult {
	done := make(chan []rueidis.RedisResult, 1)
	p.calls.Go(func() {
		commands := make([]rueidis.Completed, len(rs))
		for i, r := range rs {
			commands[i] = r(p.client.B())
		}
		done <- p.client.DoMulti(ctx, commands...)
	})
	select {
	case results := <-done:
		return results
	case <-ctx.Done():
		p.link.stir()
		results := make([]rueidis.RedisResult, len(rs))
		for i := range results {
			results[i] = rueidis.NewErrorResult(ctx.Err())
		}
		return results
	}
}

// callAll makes several requests in one round trip, and those again that were not carried out. It
// returns a message or an error for each.
func (p *Provider) callAll(ctx context.Context, writes bool, rs []request) ([]rueidis.RedisMessage, []error) {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	messages, errs := make([]rueidis.RedisMessage, len(rs)), make([]error, len(rs))
	if err := ended(ctx); err != nil {
		for i := range errs {
			errs[i] = failure(ctx, err, false)
		}
		return messages, errs
	}
	if writes && p.waitFor > 0 {
		return p.writeAll(ctx, rs)
	}
	left := make([]int, len(rs))
	for i := range left {
		left[i] = i
	}
	retry := retrier{writes: writes, failsOver: p.failsOver()}
	for asked := rs; ; {
		var failed []int
		var failures []error
		for i, result := range p.exchangeAll(ctx, asked) {
			m, err := result.ToMessage()
			if err == nil || rueidis.IsRedisNil(err) {
				messages[left[i]] = m
				continue
			}
			failed, failures = append(failed, left[i]), append(failures, err)
		}
		left, asked = nil, nil
		for i, err := range failures {
			again := len(asked) > 0 && repeatable(err) // that one has waited
			if !again {
				again, errs[failed[i]] = retry.after(ctx, err)
			}
			if again {
				errs[failed[i]] = nil
				left, asked = append(left, failed[i]), append(asked, rs[failed[i]])
			}
		}
		if len(asked) == 0 {
			return messages, errs
		}
	}
}

// A runnable is what a script is executed on: its key, and one more on the same server or none.
type runnable struct {
	keys []string
	args []string
}

// runAll executes a script on several keys in one round trip, or two if a server does not have it. It
// returns a message or an error for each.
func (p *Provider) runAll(ctx context.Context, s script, on []runnable) ([]rueidis.RedisMessage, []error) {
	requests := make([]request, len(on))
	for i, r := range on {
		requests[i] = func(b rueidis.Builder) rueidis.Completed { return s.bySum(b, r) }
	}
	messages, errs := p.callAll(ctx, true, requests)
	var left []int
	requests = requests[:0]
	for i, err := range errs {
		if errors.Is(err, errNoScript) {
			left = append(left, i)
			requests = append(requests, func(b rueidis.Builder) rueidis.Completed { return s.byText(b, on[i]) })
		}
	}
	if len(left) > 0 {
		again, failures := p.callAll(ctx, true, requests)
		for n, i := range left {
			messages[i], errs[i] = again[n], failures[n]
		}
	}
	return messages, errs
}

// repeatable reports whether an error is an answer that passes.
func repeatable(err error) bool {
	a, ok := refusal(err)
	return ok && a.passes
}

// run executes a script on a key. A server forgets its scripts when it is restarted, and does not tell
// those that it replaces.
func (p *Provider) run(ctx context.Context, s script, key string, args ...string) (rueidis.RedisMessage, error) {
	return p.runOn(ctx, s, runnable{[]string{key}, args})
}

// runOn is run on what may be more than a key.
func (p *Provider) runOn(ctx context.Context, s script, on runnable) (rueidis.RedisMessage, error) {
	m, err := p.write(ctx, func(b rueidis.Builder) rueidis.Completed { return s.bySum(b, on) })
	if errors.Is(err, errNoScript) {
		return p.write(ctx, func(b rueidis.Builder) rueidis.Completed { return s.byText(b, on) })
	}
	return m, err
}
