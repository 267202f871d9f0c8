package node_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

const (
	partitions = 31
	// The times are those of every grid that is not told others.
	heartbeat = 100 * time.Millisecond
	lease     = 350 * time.Millisecond
	silence   = 1500 * time.Millisecond
)

// A grid is processes in a synctest bubble, on a network in memory.
type grid struct {
	*testing.T
	*wiretest.Network
	change func(*node.Options)

	mu        sync.Mutex
	processes []*process
}

type process struct {
	*node.Node
	g    *grid
	host string
}

// bubble runs a test in a bubble of its own. What it says of time is exact, but for the
// dice that are thrown: who is asked first, and how long pauses are.
func bubble(t *testing.T, change func(*node.Options), test func(g *grid)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &grid{T: t, Network: wiretest.New(), change: change}
		defer time.Sleep(time.Minute) // probes of the gossip that are under way end by themselves
		defer g.closeAll()
		test(g)
	})
}

func (g *grid) closeAll() {
	for _, p := range g.processes {
		p.Close()
	}
}

// host returns the name of the process with a number, which counts from one.
func host(number int) string { return fmt.Sprintf("127.0.0.%d:1", number) }

// start starts the next process.
func (g *grid) start() *process {
	g.Helper()
	return g.startAs(len(g.processes) + 1)
}

// startAs starts a process with a number, which knows the first three.
func (g *grid) startAs(number int) *process {
	g.Helper()
	p := &process{g: g, host: host(number)}
	opts := node.Options{
		Listen: []string{p.host}, Join: []string{host(1), host(2), host(3)}, Cluster: "shop",
		Security:   wire.Security{Plaintext: true},
		Network:    node.Network{Listen: g.listen, Dial: g.Dialer(p.host)},
		Partitions: partitions, Copies: 2, Startup: 3 * time.Second, Heartbeat: heartbeat, Lease: lease, Silence: silence,
		Logger: slog.New(slog.DiscardHandler),
	}
	if g.change != nil {
		g.change(&opts)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	var err error
	if p.Node, err = node.Start(ctx, opts); err != nil {
		g.Error(err)
		return p
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.processes = append(g.processes, p)
	return p
}

func (g *grid) listen(_ context.Context, addr string) (net.Listener, error) {
	return g.Listen(addr), nil
}

// three starts three processes, and waits until each has its part.
func (g *grid) three() (a, b, c *process) {
	g.Helper()
	a, b, c = g.start(), g.start(), g.start()
	g.settled(10*time.Second, a, b, c)
	return a, b, c
}

// within waits until something holds, and returns how long that took.
func (g *grid) within(limit time.Duration, what string, holds func() bool) time.Duration {
	g.Helper()
	began := time.Now()
	for !holds() {
		if time.Since(began) > limit {
			g.Fatalf("not within %v: %s", limit, what)
		}
		time.Sleep(5 * time.Millisecond)
	}
	return time.Since(began)
}

// settled waits until processes, and nobody else, are in one grid, and nothing is to be
// moved any more. It returns how long that took.
func (g *grid) settled(limit time.Duration, processes ...*process) time.Duration {
	g.Helper()
	var last topology.Stamp
	var since time.Time
	took := g.within(limit, "the grid settles", func() bool {
		first := processes[0].Config()
		if first == nil {
			return false
		}
		if first.Stamp != last {
			last, since = first.Stamp, time.Now()
		}
		return time.Since(since) >= time.Second && !slices.ContainsFunc(processes, func(p *process) bool {
			c := p.Config()
			s := p.Stats()
			return c == nil || c.Lineage != first.Lineage || c.Stamp != first.Stamp || len(c.Members) != len(processes) ||
				!p.Safe() || s.Short+s.HandOffs != 0
		})
	})
	return took - time.Second
}

// knows reports whether a process takes another one for a member.
func (p *process) knows(id topology.ID) bool {
	c := p.Config()
	return c != nil && c.Has(id)
}

// copies counts the records of all processes.
func copies(processes ...*process) (n int) {
	for _, p := range processes {
		n += p.Stats().Entries
	}
	return n
}

func partitionOf(key string) int { return topology.PartitionOf(key, partitions) }

// keysOf returns keys of partitions of which a process is the primary, as p has it.
func (p *process) keysOf(primary topology.ID, prefix string, count int) (keys []string) {
	c := p.Config()
	for i := 0; len(keys) < count; i++ {
		if key := fmt.Sprint(prefix, i); c.Partitions[partitionOf(key)].Primary == primary {
			keys = append(keys, key)
		}
	}
	return keys
}

// write does a request that ends after a while, and checks that it does.
func (p *process) write(key string, limit time.Duration, req part.Request) (part.Result, error) {
	p.g.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	req.Cache, req.Key = "c", key
	res, err := p.Do(ctx, partitionOf(key), &req)
	p.inTime(began, limit, err)
	return res, err
}

func (p *process) put(key, record string, limit time.Duration) (part.Result, error) {
	p.g.Helper()
	return p.write(key, limit, part.Request{Kind: part.Put, Record: []byte(record)})
}

func (p *process) delete(key string, limit time.Duration) error {
	p.g.Helper()
	_, err := p.write(key, limit, part.Request{Kind: part.Delete})
	return err
}

// get returns a record, empty if there is none.
func (p *process) get(key string, limit time.Duration) (string, error) {
	p.g.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	began := time.Now()
	found, err := p.Get(ctx, partitionOf(key), "c", key)
	p.inTime(began, limit, err)
	return string(found.Record), err
}

// inTime checks that an operation ended by its deadline, but for the time in which the
// primary may say what became of it, and with a proper error if it failed.
func (p *process) inTime(began time.Time, limit time.Duration, err error) {
	p.g.Helper()
	if took := time.Since(began); took > limit+100*time.Millisecond {
		p.g.Errorf("an operation of at most %v took %v", limit, took)
	}
	if err != nil && !errors.Is(err, driver.ErrUnavailable) && !errors.Is(err, driver.ErrIndeterminate) {
		p.g.Errorf("an operation failed in another way than it may: %v", err)
	}
}

// has checks that every process finds records of a number of keys, which are their names
// in capitals.
func (g *grid) has(keys []string, processes ...*process) {
	g.Helper()
	for _, p := range processes {
		for _, key := range keys {
			if got, err := p.get(key, time.Second); err != nil || got != "of "+key {
				g.Errorf("%s: got %q, %v, want the record of %s", p.host, got, err, key)
			}
		}
	}
}

// fill puts records under numbered keys and returns the keys.
func (p *process) fill(prefix string, count int) (keys []string) {
	p.g.Helper()
	for i := range count {
		key := fmt.Sprint(prefix, i)
		if _, err := p.put(key, "of "+key, time.Second); err != nil {
			p.g.Fatal(err)
		}
		keys = append(keys, key)
	}
	return keys
}
