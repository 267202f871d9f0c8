package engine

import (
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

// ErrPanic means that code of the program (a processor, policy, codec, or a function such as Equal)
// panicked on a goroutine that it did not start.
var ErrPanic = errors.New("the program's code panicked")

// width is how many keys of a bulk operation are under way at once where the
// provider has no batches: enough to fill a connection, few enough to be fair.
const width = 16

// Parallel calls do for 0 to n-1, width at a time, and waits. It is where this package
// starts goroutines, so whatever happens to do stays with its i. The result is nil
// if all went well; otherwise it has one element for each i.
func Parallel(n int, do func(i int) error) []error {
	var next atomic.Int64
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	var work func()
	work = func() {
		for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
			err := errGone
			func() {
				// Should do end this goroutine, as testing.T.FailNow does, then
				// another one goes on.
				defer func() {
					if errors.Is(err, errGone) {
						wg.Go(work)
					}
					if err != nil {
						mu.Lock()
						defer mu.Unlock()
						if errs == nil {
							errs = make([]error, n)
						}
						errs[i] = err
					}
				}()
				err = Guarded(func() error { return do(i) })
			}()
		}
	}
	for range min(n, width) {
		wg.Go(work)
	}
	wg.Wait()
	return errs
}

var errGone = fmt.Errorf("%w: it ended its goroutine", ErrPanic)

// Guarded makes a panic of do an error. What it panicked with may hold a value, so only
// the type is told.
func Guarded(do func() error) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = Panicked(r)
		}
	}()
	return do()
}

// Panicked is the error of a panic that was recovered from. The log has the stack.
func Panicked(r any) error {
	slog.Error("jcache: the program's code panicked", "type", fmt.Sprintf("%T", r), "stack", string(debug.Stack()))
	return fmt.Errorf("%w with a %T", ErrPanic, r)
}
