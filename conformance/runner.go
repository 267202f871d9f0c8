package conformance

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"
)

const (
	// caseTimeout is generous: a case takes milliseconds, or a few seconds if it
	// waits for an expiry.
	caseTimeout = time.Minute
	// stuckAfter is how long after caseTimeout a case is given up.
	stuckAfter = 10 * time.Second
)

// start begins a case, as soon as there is a slot, and returns the call that waits
// for its result.
func (s *suite) start(c testCase) (wait func() result) {
	done := make(chan result, 1)
	go func() {
		s.slots <- struct{}{}
		done <- s.run(c, func() { <-s.slots })
	}()
	return func() result { return <-done }
}

// run runs a case and cleans up after it; release is called in between.
func (s *suite) run(c testCase, release func()) result {
	ctx, cancel := context.WithTimeout(s.ctx, caseTimeout)
	defer cancel()
	t := newRecorder(ctx, c.fullName())
	e := newEnv(s, t, c)
	met := c.needs.met(s.features.Without(c.disabled...))
	over := make(chan struct{})
	go func() {
		defer close(over)
		t.do(func() {
			if met {
				c.run(e)
			} else {
				c.needs.refused(e)
			}
		})
		release()
		t.clean()
	}()
	stuck := time.NewTimer(caseTimeout + stuckAfter)
	defer stuck.Stop()
	select {
	case <-over:
	case <-stuck.C:
		t.Errorf("the case does not end, although its context has")
	}
	switch {
	case t.broken():
		return result{failed, t.failure(rule{c.rule, c.source}), ctx.Err() != nil}
	case !met:
		return result{outcome: unsupported}
	}
	return result{outcome: passed}
}

// A recorder is the T of one case.
type recorder struct {
	ctx  context.Context
	name string

	mu       sync.Mutex
	lines    []string
	errors   int
	rule     *rule // the first one that was broken, if it is not the case's own
	cleanups []func()
}

// A rule is a sentence of the contract, and where the contract says so.
type rule struct{ text, source string }

// maxErrors bounds the errors that one case shows.
const maxErrors = 8

func newRecorder(ctx context.Context, name string) *recorder { return &recorder{ctx: ctx, name: name} }

func (r *recorder) Name() string             { return r.name }
func (r *recorder) Context() context.Context { return r.ctx }
func (r *recorder) Helper()                  {}

func (r *recorder) Cleanup(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cleanups = append(r.cleanups, f)
}

func (r *recorder) Logf(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, where()+printable(fmt.Sprintf(format, args...)))
}

func (r *recorder) Errorf(format string, args ...any) { r.breaks(nil, format, args...) }

// breaks records that a rule was broken, whatever the case is about; nil is the case's own.
func (r *recorder) breaks(broken *rule, format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.errors++; r.errors == 1 {
		r.rule = broken
	}
	if r.errors <= maxErrors {
		r.lines = append(r.lines, where()+printable(fmt.Sprintf(format, args...)))
	}
}

// failure is what the case has to report; own is its rule.
func (r *recorder) failure(own rule) Failure {
	r.mu.Lock()
	if r.rule != nil {
		own = *r.rule
	}
	r.mu.Unlock()
	return Failure{Case: r.name, Rule: own.text, Source: own.source, Log: r.text()}
}

// Fatalf ends the goroutine that calls it.
func (r *recorder) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *recorder) broken() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.errors > 0
}

func (r *recorder) text() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	lines := slices.Clone(r.lines)
	if more := r.errors - maxErrors; more > 0 {
		lines = append(lines, fmt.Sprintf("and %d more", more))
	}
	return strings.Join(lines, "\n")
}

// do calls f, which may call Fatalf or panic, and waits until it is over.
func (r *recorder) do(f func()) {
	over := make(chan struct{})
	go func() {
		defer close(over)
		defer func() {
			if p := recover(); p != nil {
				r.Errorf("panic: %v\n%s", p, debug.Stack())
			}
		}()
		f()
	}()
	<-over
}

// clean runs the cleanups, the last one first.
func (r *recorder) clean() {
	r.mu.Lock()
	cleanups := r.cleanups
	r.cleanups = nil
	r.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		r.do(f)
	}
}

// where names the line of the case that is running.
func where() string {
	pc := make([]uintptr, 16)
	frames := runtime.CallersFrames(pc[:runtime.Callers(3, pc)])
	for {
		f, more := frames.Next()
		if file := filepath.Base(f.File); strings.HasPrefix(file, "cases_") {
			return fmt.Sprintf("%s:%d: ", file, f.Line)
		}
		if !more {
			return ""
		}
	}
}
