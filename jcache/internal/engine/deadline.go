package engine

import (
	"context"
	"sync"
	"time"
)

// A deadline is a context that ends at a time of its own, or with its parent. It needs a
// timer only if somebody asks for Done: who just looks at the deadline, as a driver does
// that bounds its input and output with it, pays one allocation.
type deadline struct {
	context.Context // the parent
	at              time.Time

	mu    sync.Mutex
	inner context.Context // with a timer, once somebody has asked for Done
	stop  context.CancelFunc
	err   error // why it ended, if it did while there was no inner
}

// Deadline implements context.Context.
func (d *deadline) Deadline() (time.Time, bool) { return d.at, true }

// Done implements context.Context.
func (d *deadline) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner == nil {
		if d.settle(); d.err != nil {
			d.inner = ended{d.Context, d.err}
		} else {
			d.inner, d.stop = context.WithDeadline(d.Context, d.at)
		}
	}
	return d.inner.Done()
}

// Err implements context.Context.
func (d *deadline) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.inner != nil {
		return d.inner.Err()
	}
	d.settle()
	return d.err
}

// settle finds out whether the context has ended; d.mu is held, and there is no inner.
func (d *deadline) settle() {
	switch {
	case d.err != nil:
	case d.Context.Err() != nil:
		d.err = d.Context.Err()
	case !time.Now().Before(d.at):
		d.err = context.DeadlineExceeded
	}
}

// Value implements context.Context. Package context finds by it that a child can be
// attached to the inner context, without a goroutine of its own.
func (d *deadline) Value(key any) any {
	d.mu.Lock()
	from := d.inner
	d.mu.Unlock()
	if from == nil {
		from = d.Context
	}
	return from.Value(key)
}

// Unbounded implements driver.Bounded.
func (d *deadline) Unbounded() context.Context { return d.Context }

// cancel ends the context and frees the timer, if there is one.
func (d *deadline) cancel() {
	d.mu.Lock()
	defer d.mu.Unlock()
	switch {
	case d.stop != nil:
		d.stop()
	case d.inner == nil && d.err == nil:
		d.err = context.Canceled // or its time is over, which nobody asks any more
	}
}

// ended is a context that has ended.
type ended struct {
	context.Context // the parent
	err             error
}

var closed = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func (ended) Done() <-chan struct{} { return closed }
func (e ended) Err() error          { return e.err }

// cause returns the error of a context that has ended. The timer of a context may be a
// little late; its deadline is not.
func cause(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if at, ok := ctx.Deadline(); ok && !time.Now().Before(at) {
		return context.DeadlineExceeded
	}
	return nil
}
