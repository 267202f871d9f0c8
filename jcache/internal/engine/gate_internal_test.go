package engine

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := NewGate()
		for range 2 {
			if !g.Enter() || g.Closed() {
				t.Fatal("a new gate is not open")
			}
		}
		var closed atomic.Int64
		for range 3 {
			go func() {
				if err := g.Close(context.Background()); err != nil {
					t.Error(err)
				}
				closed.Add(1)
			}()
		}
		synctest.Wait()
		if g.Enter() || !g.Closed() {
			t.Error("a gate that is being closed lets somebody in")
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err := g.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("closing with somebody inside: got error %v", err)
		}
		g.Leave()
		synctest.Wait()
		if closed.Load() != 0 {
			t.Error("closed with one inside")
		}
		g.Leave()
		synctest.Wait()
		if closed.Load() != 3 {
			t.Errorf("%d of 3 calls returned", closed.Load())
		}
		if err := g.Close(context.Background()); err != nil {
			t.Errorf("closing again: %v", err)
		}
	})
}

// The driver is never inside while it is closed.
func TestGateUnderLoad(t *testing.T) {
	for range 200 {
		g := NewGate()
		var inside atomic.Int64
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				for g.Enter() {
					inside.Add(1)
					inside.Add(-1)
					g.Leave()
				}
			})
		}
		if err := g.Close(context.Background()); err != nil {
			t.Fatal(err)
		}
		if n := inside.Load(); n != 0 {
			t.Fatalf("closed with %d inside", n)
		}
		wg.Wait()
	}
}
