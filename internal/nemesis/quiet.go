package main

import (
	"context"
	"fmt"
	"time"
)

const (
	// quietTimeout bounds the time in which what the faults left behind goes away.
	quietTimeout = 20 * time.Second
	// moreGoroutines and moreBytes are what a server may have more at the end than the
	// largest one had at the beginning, and bytesEach what an entry or a tombstone uses.
	moreGoroutines = 60
	moreBytes      = 32 << 20
	bytesEach      = 4 << 10
)

// A baseline is what servers use that do nothing.
type baseline struct {
	goroutines int
	heapBytes  uint64
}

// baseline looks at the servers, which have next to no entries yet.
func (f *fleet) baseline(ctx context.Context) (b baseline, err error) {
	for _, i := range f.running() {
		s, err := f.status(ctx, i, "?collect=1")
		if err != nil {
			return b, err
		}
		b.goroutines, b.heapBytes = max(b.goroutines, s.Goroutines), max(b.heapBytes, s.HeapBytes)
	}
	return b, nil
}

// quiet waits until nothing is under way in a grid: each entry has all its copies, no
// write waits for anybody, and the servers use no more than for what they have.
func (r *runner) quiet(ctx context.Context, entries int) {
	if _, ok := r.cluster.(grid); !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, quietTimeout)
	defer cancel()
	var resources string
	err := poll(ctx, func() (err error) {
		resources, err = r.resources(ctx, entries)
		return err
	})
	if err != nil {
		r.broken("not quiet after %v: %v", quietTimeout, err)
		return
	}
	r.printf("each entry has its copies; %s", resources)
}

// resources sums up what the servers of a grid use, if they are at rest.
func (r *runner) resources(ctx context.Context, entries int) (string, error) {
	r.fleet.client.CloseIdleConnections() // each is a goroutine of a server
	running := r.fleet.running()
	copies, tombstones, goroutines, heap := 0, 0, 0, uint64(0)
	for _, i := range running {
		s, err := r.fleet.status(ctx, i, "?collect=1")
		if err != nil {
			return "", err
		}
		g := s.Grid
		copies, tombstones = copies+g.Entries, tombstones+g.Tombstones
		goroutines, heap = max(goroutines, s.Goroutines), max(heap, s.HeapBytes)
		switch most := r.base.heapBytes + moreBytes + uint64(bytesEach*(g.Entries+g.Tombstones)); {
		case g.Short > 0 || g.HandOffs > 0:
			return "", fmt.Errorf("%d partitions lack copies, %d are handed over", g.Short, g.HandOffs)
		case g.Uncommitted > 0 || g.Waiting > 0:
			return "", fmt.Errorf("in server %d %d writes are not on all copies, and %d operations wait", i, g.Uncommitted, g.Waiting)
		case s.Goroutines > r.base.goroutines+moreGoroutines:
			return "", fmt.Errorf("server %d has %d goroutines, after %d at the beginning", i, s.Goroutines, r.base.goroutines)
		case s.HeapBytes > most:
			return "", fmt.Errorf("server %d uses %d bytes, after %d at the beginning, for %d entries and %d tombstones",
				i, s.HeapBytes, r.base.heapBytes, g.Entries, g.Tombstones)
		}
	}
	if want := entries * min(r.replicas+1, len(running)); copies != want {
		return "", fmt.Errorf("there are %d copies of %d entries, not %d", copies, entries, want)
	}
	return fmt.Sprintf("%d tombstones; the largest server has %d goroutines and a heap of %.1f MB, after %d and %.1f MB at the beginning",
		tombstones, goroutines, float64(heap)/(1<<20), r.base.goroutines, float64(r.base.heapBytes)/(1<<20)), nil
}
