package main

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"
)

const (
	// probeKeys are so many that every member is the primary of some of them and has
	// copies of others.
	probeKeys    = 120
	probeWorkers = 12
	// probePatience is how long one attempt of a probe may take, and probePause how
	// long it waits for the next one.
	probePatience = 300 * time.Millisecond
	probePause    = 5 * time.Millisecond
	// outageTimeout bounds an outage.
	outageTimeout = 30 * time.Second
)

// outage returns the time, from now on, until each probe key was once written and then
// read at a server that may be asked. ok is false if that does not come to pass.
func (f *fleet) outage() (d time.Duration, ok bool) {
	return f.outageSince(time.Now())
}

// outageSince is outage that counts from a time.
func (f *fleet) outageSince(start time.Time) (d time.Duration, ok bool) {
	keys := make(chan string, probeKeys)
	for i := range probeKeys {
		keys <- fmt.Sprintf("probe-%d", i)
	}
	close(keys)
	var mu sync.Mutex
	ok = true
	var wg sync.WaitGroup
	for range probeWorkers {
		wg.Go(func() {
			for key := range keys {
				served := f.probe(key, start)
				mu.Lock()
				d, ok = max(d, time.Since(start)), ok && served
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	return d, ok
}

// probe tries until a key can be written and read.
func (f *fleet) probe(key string, start time.Time) bool {
	for time.Since(start) < outageTimeout {
		if places := f.up(); len(places) > 0 {
			place := places[rand.IntN(len(places))]
			value := newValue()
			a := f.do(place, call{kind: put, key: key, value: value}, probePatience)
			if a.outcome == done {
				a = f.do(place, call{kind: get, key: key}, probePatience)
			}
			if a.outcome == done && a.value != "" {
				return true
			}
		}
		pauseFor(probePause)
	}
	return false
}

// measure measures an outage that begins now, until wait.
func (r *runner) measure() (wait func()) {
	rd := r.round
	if r.app != "" {
		return func() {} // it has no keys that could be asked for
	}
	finished := make(chan struct{})
	go func() {
		defer close(finished)
		d, ok := r.fleet.outage()
		if !ok {
			r.broken("not every key can be read and written %v after the fault", outageTimeout)
		}
		r.mu.Lock()
		defer r.mu.Unlock()
		rd.outages = append(rd.outages, d)
	}()
	return func() { <-finished }
}
