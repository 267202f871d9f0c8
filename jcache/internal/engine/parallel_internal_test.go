package engine

import (
	"errors"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
)

var errOwn = errors.New("an error of its own")

// Whatever happens to one key stays with it.
func TestParallel(t *testing.T) {
	for _, n := range []int{0, 1, width, 10 * width} {
		var ran atomic.Int64
		errs := Parallel(n, func(i int) error {
			ran.Add(1)
			switch i % 5 {
			case 1:
				return errOwn
			case 2:
				panic("a secret")
			case 3:
				runtime.Goexit()
			}
			return nil
		})
		if int(ran.Load()) != n || len(errs) != 0 && len(errs) != n || n > 1 && errs == nil {
			t.Fatalf("%d of %d ran, %d errors", ran.Load(), n, len(errs))
		}
		for i, err := range errs {
			want := []error{nil, errOwn, ErrPanic, ErrPanic, nil}[i%5]
			if !errors.Is(err, want) || err != nil && strings.Contains(err.Error(), "secret") {
				t.Errorf("%d: got %v, want %v", i, err, want)
			}
		}
	}
	if errs := Parallel(3, func(int) error { return nil }); errs != nil {
		t.Errorf("without an error: %v", errs)
	}
}
