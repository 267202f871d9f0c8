package driver

import "context"

// Bounded is implemented by contexts that the portable layer makes: another context with a
// deadline.
type Bounded interface {
	context.Context

	// Unbounded returns the context without the deadline.
	Unbounded() context.Context
}

// Cancellation returns what a driver has to wait for that bounds its input and output by the
// deadline of ctx: a context that may end earlier, or nil if nobody can cancel ctx. To wait
// for ctx itself may cost a timer.
func Cancellation(ctx context.Context) context.Context {
	if b, ok := ctx.(Bounded); ok {
		ctx = b.Unbounded()
	}
	if ctx.Done() == nil {
		return nil
	}
	return ctx
}
