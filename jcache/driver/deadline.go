package driver

import "context"

// DeadlineOnly is implemented by contexts that may end by their deadline alone, because
// nobody can cancel them.
type DeadlineOnly interface {
	context.Context

	// DeadlineOnly reports whether the deadline is the only end of the context.
	DeadlineOnly() bool
}

// Cancellable reports whether ctx may end before its deadline. Unlike a look at Done, it
// costs no timer.
func Cancellable(ctx context.Context) bool {
	if d, ok := ctx.(DeadlineOnly); ok {
		return !d.DeadlineOnly()
	}
	return ctx.Done() != nil
}
