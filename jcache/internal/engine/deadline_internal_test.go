package engine

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type word struct{}

func bounded(parent context.Context, d time.Duration) *deadline {
	return &deadline{Context: parent, at: time.Now().Add(d)}
}

// Each way to look at the context, before its end and after it.
func TestDeadlineEnds(t *testing.T) {
	looks := map[string]func(ctx context.Context) error{
		"Err":  func(ctx context.Context) error { return ctx.Err() },
		"Done": func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() },
		"a child": func(ctx context.Context) error {
			child, cancel := context.WithCancel(ctx)
			defer cancel()
			<-child.Done()
			return child.Err()
		},
		"a function": func(ctx context.Context) error {
			ran := make(chan struct{})
			defer context.AfterFunc(ctx, func() { close(ran) })()
			<-ran
			return ctx.Err()
		},
		"the cause": context.Cause,
	}
	ends := map[string]struct {
		end  func(d *deadline, cancelParent context.CancelFunc)
		want error
	}{
		"time":       {func(*deadline, context.CancelFunc) { time.Sleep(time.Minute); synctest.Wait() }, context.DeadlineExceeded},
		"the parent": {func(_ *deadline, cancel context.CancelFunc) { cancel(); synctest.Wait() }, context.Canceled},
		"the call":   {func(d *deadline, _ context.CancelFunc) { d.cancel() }, context.Canceled},
	}
	for how, end := range ends {
		for name, look := range looks {
			for _, early := range []bool{false, true} { // somebody waits for Done already
				synctest.Test(t, func(t *testing.T) {
					parent, cancel := context.WithCancel(context.WithValue(context.Background(), word{}, "value"))
					defer cancel()
					d := bounded(parent, time.Minute)
					if early {
						child, cancel := context.WithCancel(d)
						defer cancel()
						select {
						case <-child.Done():
							t.Error("it has ended before its time")
						default:
						}
					}
					if err := d.Err(); err != nil || d.Value(word{}) != "value" {
						t.Errorf("at first: %v, %v", err, d.Value(word{}))
					}
					end.end(d, cancel)
					for range 2 {
						if err := look(d); !errors.Is(err, end.want) {
							t.Errorf("%s, ended by %s, early %v: got %v, want %v", name, how, early, err, end.want)
						}
					}
					d.cancel()
					cancel()
					if err := d.Err(); !errors.Is(err, end.want) || d.Value(word{}) != "value" {
						t.Errorf("%s, ended by %s: became %v", name, how, err)
					}
				})
			}
		}
	}
}

// A context that nobody waits for has no timer, and a child of it no goroutine.
func TestDeadlineIsLazy(t *testing.T) {
	d := bounded(context.Background(), time.Hour)
	if n := testing.AllocsPerRun(100, func() {
		_, _ = d.Deadline()
		_ = d.Err()
		_ = d.Value(word{})
		_ = driver.Cancellation(d)
	}); n != 0 || d.inner != nil {
		t.Errorf("%v allocations, and a timer: %v", n, d.inner != nil)
	}
	synctest.Test(t, func(t *testing.T) {
		d := bounded(context.Background(), time.Hour)
		child, cancel := context.WithCancel(d)
		defer cancel()
		d.cancel()
		// A goroutine that carried the end on would have to run first.
		if child.Err() == nil {
			t.Error("the end of a context reaches its child late")
		}
	})
	if driver.Cancellation(d) != nil || driver.Cancellation(context.Background()) != nil {
		t.Error("nobody can cancel it")
	}
	parent, cancel := context.WithCancel(context.Background())
	defer cancel()
	if driver.Cancellation(bounded(parent, time.Hour)) != parent || driver.Cancellation(parent) != parent {
		t.Error("somebody can cancel it")
	}
	child, cancelChild := context.WithCancel(d)
	defer cancelChild()
	if driver.Cancellation(child) != child {
		t.Error("a child can be cancelled")
	}
}

func TestDeadlineRaces(t *testing.T) {
	for range 100 {
		parent, cancel := context.WithCancel(context.Background())
		d := bounded(parent, time.Hour)
		var wg sync.WaitGroup
		for _, do := range []func(){
			func() { <-d.Done() }, func() { _ = d.Err() }, func() { _ = d.Value(word{}) }, d.cancel, cancel,
			func() { child, cancel := context.WithCancel(d); defer cancel(); <-child.Done() },
		} {
			wg.Go(do)
		}
		wg.Wait()
		if err := d.Err(); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		cancel()
	}
}
