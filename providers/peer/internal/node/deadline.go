package node

import (
	"context"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// retryAfter is how long an operation waits for news when the member that it went to
// could not serve it.
const retryAfter = 10 * time.Millisecond

// defaultTimeout bounds operations whose caller gave no bound.
const defaultTimeout = 10 * time.Second

// A bound is the context of the operations that begin within a second and whose callers
// gave them none. It costs less than one for each of them.
type bound struct {
	context.Context
	cancel context.CancelFunc // is not called: the context ends with its time
	until  time.Time          // operations that begin later get another one
}

// limit bounds an operation whose caller did not.
func (n *Node) limit(ctx context.Context) (context.Context, context.CancelFunc) {
	if _, ok := ctx.Deadline(); ok {
		return ctx, func() {}
	}
	if ctx.Done() != nil {
		return context.WithTimeout(ctx, defaultTimeout)
	}
	now, b := time.Now(), n.bound.Load()
	if b == nil || now.After(b.until) {
		b = &bound{until: now.Add(time.Second)}
		b.Context, b.cancel = context.WithTimeout(context.Background(), defaultTimeout+time.Second)
		n.bound.Store(b)
	}
	return b.Context, func() {}
}

// over returns why an operation must not be tried again, if there is a reason.
func (n *Node) over(ctx context.Context) error {
	if n.ctx.Err() != nil {
		return errClosed
	}
	return ctx.Err()
}

// ended is the error of an operation that was given up.
func ended(unsure bool, err, last error) error {
	kind := driver.ErrUnavailable
	if unsure {
		kind = driver.ErrIndeterminate
	}
	if last == nil {
		return fmt.Errorf("%w: %w", kind, err)
	}
	return fmt.Errorf("%w: %w: %w", kind, last, err)
}

// await waits for a change of the configuration, but not for long.
func await(ctx context.Context, changed <-chan struct{}) {
	timer := time.NewTimer(retryAfter)
	defer timer.Stop()
	select {
	case <-changed:
	case <-timer.C:
	case <-ctx.Done():
	}
}
