package hazelcast

import (
	"context"
	"time"
)

// bound makes sure that no call is without a deadline: it could last for ever.
func (p *Provider) bound(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, p.plan.requestTimeout)
}

// leastAttempt is what an attempt is given if the caller has so much time. Who repeats sooner what
// is only slow doubles the load of a cluster that is overloaded.
const leastAttempt = 500 * time.Millisecond

// attempt gives one request half of the time that is left, but leastAttempt, and no more than
// requestTimeout. The client may put a request into the queue of a connection that has
// just closed, where it is never answered; what is left is for another one.
func (p *Provider) attempt(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, _ := ctx.Deadline()
	return context.WithTimeout(ctx, min(max(time.Until(deadline)/2, leastAttempt), p.plan.requestTimeout))
}

// ready returns when a request can be sent.
func (p *Provider) ready(ctx context.Context) error {
	if err := p.checkOpen(); err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return notSent(err)
	}
	if err := p.link.await(ctx, p.plan.requestTimeout); err != nil {
		return err
	}
	return p.apart.await(ctx, p.plan.requestTimeout)
}

// heldBack is the error of a call that was under way when the members turned out to be apart, so that its answer may
// be that of a member which was expelled. It is that of a call that was not answered.
func (p *Provider) heldBack(err error) error {
	if err == nil && p.apart.isDown() {
		return errApart
	}
	return err
}

// read makes a call that changes nothing, and makes it again if the first attempt
// fails or is not answered.
func (p *Provider) read(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := p.ready(ctx); err != nil {
		return err
	}
	first, cancelFirst := p.attempt(ctx)
	err := p.heldBack(call(first))
	cancelFirst()
	if err == nil || refused(err) {
		return readError(ctx, err)
	}
	if err := p.ready(ctx); err != nil {
		return err
	}
	return readError(ctx, p.heldBack(call(ctx)))
}

// write makes a call that changes something, once and with all the time that the
// context has.
func (p *Provider) write(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := p.ready(ctx); err != nil {
		return err
	}
	return writeError(ctx, p.heldBack(call(ctx)))
}

// writeChecked is write for a record whose fate can be read afterwards. It leaves the
// caller half of the time for that.
func (p *Provider) writeChecked(ctx context.Context, call func(context.Context) error) error {
	ctx, cancel := p.bound(ctx)
	defer cancel()
	if err := p.ready(ctx); err != nil {
		return err
	}
	first, cancelFirst := p.attempt(ctx)
	defer cancelFirst()
	return writeError(ctx, p.heldBack(call(first)))
}
