package node_test

import (
	"context"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A counter is incremented with compare-and-swap by callers at some processes, until ctx ends.
type counter struct {
	key   string
	mu    sync.Mutex
	count int // increments that were acknowledged
}

// count increments through a process.
func (c *counter) increment(ctx context.Context, p *process) {
	for ctx.Err() == nil {
		limit, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		found, err := p.Get(limit, partitionOf(c.key), "c", c.key)
		if err == nil {
			n, _ := strconv.Atoi(string(found.Record))
			var res part.Result
			res, err = p.Do(limit, partitionOf(c.key), &part.Request{
				Kind: part.Swap, Cache: "c", Key: c.key, Token: found.Version, Record: strconv.AppendInt(nil, int64(n+1), 10)})
			if err == nil && res.Status == part.OK {
				c.mu.Lock()
				c.count++
				c.mu.Unlock()
			}
		}
		cancel()
		time.Sleep(20 * time.Millisecond)
	}
}

// While the links of one member fail again and again, and all sides may go on, callers of the others,
// and a client that reaches everybody, lose no increment: nothing that they ask for is
// executed on the other side.
func TestFlappingMemberTakesNothing(t *testing.T) {
	for name, victim := range map[string]int{"a member": 2, "the coordinator": 0} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(o *node.Options) { asServer(o); everywhere(o) }, func(g *grid) {
				a, b, c := g.three()
				flapping := g.processes[victim]
				client := g.client()
				callers := []*process{b, client}
				if victim == 0 {
					callers = append(callers, c)
				} else {
					callers = append(callers, a)
				}
				var counters []*counter
				var work sync.WaitGroup
				ctx, stop := context.WithCancel(context.Background())
				for _, key := range client.fill("counter", 4) {
					one := &counter{key: key}
					g.must(client.put(key, "0", time.Second))
					counters = append(counters, one)
					for _, p := range callers {
						work.Go(func() { one.increment(ctx, p) })
					}
				}
				for i := range 8 {
					for _, p := range []*process{a, b, c} {
						if p != flapping {
							g.Cut(p.host, flapping.host)
							g.Cut(flapping.host, p.host)
						}
					}
					time.Sleep(time.Duration(1100+250*i) * time.Millisecond)
					g.Rejoin(flapping.host)
					time.Sleep(time.Duration(100+70*i) * time.Millisecond)
				}
				g.settled(20*time.Second, a, b, c)
				stop()
				work.Wait()
				for _, one := range counters {
					got, err := client.get(one.key, time.Second)
					if n, _ := strconv.Atoi(got); err != nil || n < one.count {
						t.Errorf("%s: %q, %v, after %d increments", one.key, got, err, one.count)
					}
				}
			})
		})
	}
}
