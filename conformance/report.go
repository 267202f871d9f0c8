package conformance

import (
	"fmt"
	"strings"
)

// A Report is what came of Check.
type Report struct {
	Provider string
	// Seed repeats the random cases.
	Seed uint64

	Passed, Failed, Unsupported int
	// Failures has one element for each case that failed.
	Failures []Failure
}

// A Failure is a case that failed.
type Failure struct {
	Case string
	// Rule is the sentence of the contract that was broken.
	Rule string
	// Source is where the contract says so.
	Source string
	// Log is what was seen.
	Log string
}

// String shows the rule, then what was seen.
func (f Failure) String() string {
	var b strings.Builder
	b.WriteString(f.Case)
	if f.Rule != "" {
		fmt.Fprintf(&b, "\n    rule: %s (%s)", f.Rule, f.Source)
	}
	for line := range strings.Lines(f.Log) {
		b.WriteString("\n    " + strings.TrimSuffix(line, "\n"))
	}
	return b.String()
}

// String shows every failure and ends with the numbers.
func (r Report) String() string {
	var b strings.Builder
	for _, f := range r.Failures {
		fmt.Fprintf(&b, "FAIL %s\n", f)
	}
	if r.Failed > 0 {
		fmt.Fprintf(&b, "KEEPSAKE_SEED=%d repeats the random cases\n", r.Seed)
	}
	fmt.Fprintf(&b, "conformance: %d passed, %d failed, %d unsupported\n", r.Passed, r.Failed, r.Unsupported)
	return b.String()
}

type outcome uint8

const (
	passed outcome = iota
	failed
	unsupported
)

type result struct {
	outcome outcome
	failure Failure // if failed
}

func (r *Report) add(one result) {
	switch one.outcome {
	case passed:
		r.Passed++
	case failed:
		r.Failed++
		r.Failures = append(r.Failures, one.failure)
	case unsupported:
		r.Unsupported++
	}
}
