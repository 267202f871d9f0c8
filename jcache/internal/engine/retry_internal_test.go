package engine

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for attempt, longest := range map[int]time.Duration{0: 0, 1: 200 * time.Microsecond, 5: 3200 * time.Microsecond, 9: longestPause, 1000: longestPause} {
			start := time.Now()
			if err := pause(context.Background(), attempt); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > longest {
				t.Errorf("attempt %d waits %v, want at most %v", attempt, took, longest)
			}
		}
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		for _, attempt := range []int{0, 5} {
			if err := pause(ended, attempt); !errors.Is(err, context.Canceled) {
				t.Errorf("attempt %d with a context that has ended: got error %v", attempt, err)
			}
		}
	})
}

// An always-changing key: every swap fails.
type contested struct{ driver.Cache }

func (contested) Info() driver.Info { return driver.Info{} }

func (contested) Get(context.Context, string) (driver.Item, bool, error) {
	return driver.Item{Record: AppendHeader(nil, NewWriteID(), 1, 0, true), Token: driver.Token{N: NewWriteID()}}, true, nil
}

func (contested) Swap(context.Context, string, driver.Token, []byte, time.Time) (bool, *driver.Item, error) {
	return false, nil, nil
}

func run(ctx context.Context, t *testing.T, s *Store, decide Decide) error {
	t.Helper()
	call, err := s.Enter(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer call.Leave()
	_, err = call.Run("k", Plan{}, decide)
	return err
}

func TestContentionIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := NewStore(contested{}, driver.Features{}, nil)
		runs, start := 0, time.Now()
		decide := func(Record) (Change, error) { runs++; return Change{Act: Remove}, nil }
		if err := run(context.Background(), t, s, decide); !errors.Is(err, ErrContention) {
			t.Errorf("got error %v, want ErrContention", err)
		}
		if took := time.Since(start); runs != maxAttempts+1 || took > 3*time.Second {
			t.Errorf("gave up after %d attempts and %v", runs, took)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer cancel()
		if err := run(ctx, t, s, decide); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("got error %v, want the context's", err)
		}
	})
}

// A key that somebody changes all the time: a swap wins only if what it has seen was read a
// moment before, and never while it is to lose.
type restless struct {
	driver.Cache
	lose int
}

const moment = 100 * time.Microsecond

func (*restless) Info() driver.Info { return driver.Info{} }

func (*restless) Get(context.Context, string) (driver.Item, bool, error) {
	time.Sleep(moment)
	return driver.Item{Record: AppendHeader(nil, NewWriteID(), 1, 0, true), Token: driver.Token{N: uint64(time.Now().UnixNano())}}, true, nil
}

func (r *restless) Swap(ctx context.Context, key string, token driver.Token, _ []byte, _ time.Time) (bool, *driver.Item, error) {
	time.Sleep(moment)
	if r.lose--; r.lose < 0 && time.Since(time.Unix(0, int64(token.N))) <= moment {
		return true, nil, nil
	}
	item, _, err := r.Get(ctx, key)
	return false, &item, err
}

// Who has waited swaps what is there then, not what was there before: others would win for
// as long as they go on.
func TestWhoWaitedLooksAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for range 50 {
			const lost = 9
			runs, s := 0, NewStore(&restless{lose: lost}, driver.Features{}, nil)
			decide := func(Record) (Change, error) { runs++; return Change{Act: Remove}, nil }
			if err := run(t.Context(), t, s, decide); err != nil || runs > lost+2 {
				t.Errorf("%d attempts, %v", runs, err)
			}
		}
	})
}
