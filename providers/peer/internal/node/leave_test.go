package node_test

import (
	"context"
	"sync"
	"testing"
	"time"
)

// Writes go on while a member joins and while one leaves in good order: none fails. Those that meet
// the hand-over of their key take some more trips through the network, and wait for two ticks of the
// partitions at most: what the new primary tells may cross the end of an epoch, and is told again.
func TestComingAndGoingDelaysNobody(t *testing.T) {
	const (
		trip    = 2 * time.Millisecond
		longest = 40*trip + 2*50*time.Millisecond
	)
	bubble(t, nil, func(g *grid) {
		a, b := g.start(), g.start()
		g.settled(10*time.Second, a, b)
		keys := a.fill("k", 100)
		g.SetDelay(trip)
		over, work := make(chan struct{}), sync.WaitGroup{}
		for client := range 40 {
			p := g.processes[client%2]
			work.Go(func() {
				for i := client; ; i += 7 {
					select {
					case <-over:
						return
					case <-time.After(5 * time.Millisecond):
					}
					key, began := keys[i%len(keys)], time.Now()
					if _, err := p.put(key, "of "+key, 5*time.Second); err != nil {
						t.Errorf("a put: %v", err)
					}
					if took := time.Since(began); took > longest {
						t.Errorf("a put of %s at %s took %v", key, p.host, took)
					}
				}
			})
		}
		c := g.start()
		t.Log("joined after", g.settled(20*time.Second, a, b, c))
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := c.Leave(ctx); err != nil {
			t.Error(err)
		}
		c.Close()
		t.Log("alone again after", g.settled(20*time.Second, a, b))
		close(over)
		work.Wait()
		if n := copies(a, b); n != 2*len(keys) {
			t.Errorf("%d copies of %d records", n, len(keys))
		}
		g.has(keys, a, b)
	})
}
