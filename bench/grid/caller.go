package main

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// A store is what a caller asks. Each caller has a number below mostCallers.
type store interface {
	// remote reports whether the key's record is in another process.
	remote(key string) bool
	get(ctx context.Context, caller int, key string) ([]byte, error)
	put(ctx context.Context, caller int, key string, value []byte) error
	close()
}

const mostCallers = 64

// stores are what can be asked, each of its configuration as JSON.
var stores = map[string]func(ctx context.Context, config []byte) (store, error){
	"peer":           openPeer,
	"olric embedded": openOlricMember,
	"olric client":   openOlricClient,
	"redis":          openRedis,
	"memcached":      openMemcached,
	"hazelcast":      openHazelcast,
	"echo":           openEcho,
}

// callerConfig is of a process that asks a store.
type callerConfig struct {
	Store  string
	Config json.RawMessage
}

// A caller is a process that asks a store, and measures.
type caller struct {
	store   store
	keys    []string
	profile profile
	took    [mostCallers][]int64 // nanoseconds, used again
	running *measurement         // nil: none is
}

func serveCaller(ctx context.Context, config []byte) (service, error) {
	var c callerConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	open, ok := stores[c.Store]
	if !ok {
		return nil, fmt.Errorf("there is no store %q", c.Store)
	}
	s, err := open(ctx, c.Config)
	return &caller{store: s}, err
}

func launchCaller(name string, config any) (*child, error) {
	b, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	return launch("caller", callerConfig{name, b})
}

func (c *caller) addr() string { return "" }
func (c *caller) close()       { c.store.close() }

func (c *caller) handle(ctx context.Context, r request) (any, error) {
	switch r.Do {
	case "fill":
		return nil, c.fill(ctx, r.Count, r.Size)
	case "run":
		return c.run(ctx, r)
	case "begin":
		c.begin(ctx, r)
		return nil, nil
	case "finish":
		return c.finish()
	case "profile":
		return nil, c.profile.toggle(r.Path)
	}
	return nil, errRequest
}

// sessionKey is 32 bytes long.
func sessionKey(i int) string { return fmt.Sprintf("session-%024d", i) }

// fill puts a number of records of a size under keys whose records are elsewhere.
func (c *caller) fill(ctx context.Context, count, size int) error {
	if s, ok := c.store.(interface{ resize(int) }); ok {
		s.resize(size)
	}
	c.keys = c.keys[:0]
	for i := 0; len(c.keys) < count; i++ {
		if key := sessionKey(i); c.store.remote(key) {
			c.keys = append(c.keys, key)
		}
	}
	var next atomic.Int64
	return together(mostCallers, func(n int) error {
		value := make([]byte, size)
		for i := next.Add(1) - 1; int(i) < count; i = next.Add(1) - 1 {
			if err := c.store.put(ctx, n, c.keys[i], value); err != nil {
				return err
			}
		}
		return nil
	})
}

// together runs a function for each of n callers, and returns one of its errors.
func together(n int, do func(caller int) error) error {
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	for i := range n {
		all.Go(func() {
			if err := do(i); err != nil {
				failed.Store(&err)
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		return *err
	}
	return nil
}

// A figure is what one measurement gives. The latencies are in microseconds. The allocations
// are of the caller's process, and the processor time, in microseconds, is of all; both are
// per operation.
type figure struct{ Rate, P50, P99, Max, Allocs, CPU float64 }

// run has callers ask for a time, and measures after a tenth of it.
func (c *caller) run(ctx context.Context, r request) (figure, error) {
	c.begin(ctx, r)
	time.Sleep(r.Time)
	return c.finish()
}

// A measurement is under way from begin to finish.
type measurement struct {
	callers int
	began   time.Time
	mallocs uint64 // before
	over    atomic.Bool
	ended   chan error
}

// begin has callers ask until finish. After a tenth of the time that the request tells, what
// they see counts.
func (c *caller) begin(ctx context.Context, r request) {
	m := &measurement{callers: r.Callers, ended: make(chan error, 1)}
	for i := range c.took {
		c.took[i] = slices.Grow(c.took[i][:0], 1<<10)
	}
	runtime.GC()
	var counts atomic.Bool
	go func() {
		m.ended <- together(r.Callers, func(n int) error {
			value, random := make([]byte, r.Size), rand.New(rand.NewPCG(uint64(n), 1))
			for !m.over.Load() {
				begin := time.Now()
				if err := c.once(ctx, r.Put, n, c.keys[random.IntN(len(c.keys))], value); err != nil {
					return err
				}
				if counts.Load() {
					c.took[n] = append(c.took[n], int64(time.Since(begin)))
				}
			}
			return nil
		})
	}()
	time.Sleep(r.Time / 10)
	m.mallocs, m.began = mallocs(), time.Now()
	counts.Store(true)
	c.running = m
}

// finish ends what begin has begun.
func (c *caller) finish() (figure, error) {
	m := c.running
	if m == nil {
		return figure{}, errRequest
	}
	c.running = nil
	m.over.Store(true)
	took, allocs := time.Since(m.began), mallocs()-m.mallocs
	if err := <-m.ended; err != nil {
		return figure{}, err
	}
	return c.figure(m.callers, took, allocs), nil
}

func mallocs() uint64 {
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return s.Mallocs
}

func (c *caller) once(ctx context.Context, put bool, n int, key string, value []byte) error {
	if put {
		return c.store.put(ctx, n, key, value)
	}
	got, err := c.store.get(ctx, n, key)
	if err == nil && len(got) != len(value) {
		err = fmt.Errorf("got %d bytes instead of %d", len(got), len(value))
	}
	return err
}

func (c *caller) figure(callers int, took time.Duration, allocs uint64) figure {
	all := slices.Concat(c.took[:callers]...)
	if len(all) == 0 {
		return figure{}
	}
	slices.Sort(all)
	at := func(q float64) float64 { return float64(all[int(q*float64(len(all)-1))]) / 1e3 }
	return figure{Rate: float64(len(all)) / took.Seconds(), P50: at(0.5), P99: at(0.99), Max: at(1), Allocs: float64(allocs) / float64(len(all))}
}
