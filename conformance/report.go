package conformance

import (
	"fmt"
	"strings"
)

// A Report is what came of Check.
type Report struct {
	// Provider is the Name of the harness.
	Provider string
	// Seed repeats the random cases.
	Seed uint64

	// Passed, Failed and Unsupported are numbers of cases. A case is unsupported if it needs an
	// optional interface that the driver lacks.
	Passed, Failed, Unsupported int
	// NotRun is the number of cases for which the harness has no means, and Why says
	// which.
	NotRun int
	Why    string
	// Failures has one element for each case that failed. The first one is about what
	// the others build on.
	Failures []Failure
}

// A Failure is a case that failed.
type Failure struct {
	// Case is its name.
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
	b.WriteString(f.title())
	for line := range strings.Lines(f.Log) {
		b.WriteString("\n    " + strings.TrimSuffix(line, "\n"))
	}
	return b.String()
}

func (f Failure) title() string {
	if f.Rule == "" {
		return f.Case
	}
	return fmt.Sprintf("%s: %s (%s)", f.Case, f.Rule, f.Source)
}

// String begins with the first rule that was broken, and all that was seen of it. Then come
// the other failures in brief, the seed, and the numbers.
func (r Report) String() string {
	var b strings.Builder
	b.WriteString(r.summary())
	if r.NotRun > 0 {
		fmt.Fprintf(&b, "not run: %d cases: %s\n", r.NotRun, r.Why)
	}
	fmt.Fprintf(&b, "%s\n", repeats(r.Seed))
	fmt.Fprintf(&b, "conformance: %d passed, %d failed, %d unsupported\n", r.Passed, r.Failed, r.Unsupported)
	return b.String()
}

// summary shows the first failure, and counts and names those that may follow from it.
func (r Report) summary() string {
	if len(r.Failures) == 0 {
		return ""
	}
	var b strings.Builder
	first, others := r.Failures[0], r.Failures[1:]
	fmt.Fprintf(&b, "FAIL %s\n", first)
	if len(others) == 0 {
		return b.String()
	}
	same := 0
	for _, f := range others {
		if f.Rule == first.Rule {
			same++
		}
	}
	fmt.Fprintf(&b, "%d more cases failed, %d of them by the same rule. Mend that first: the others may follow from it.\n", len(others), same)
	for _, f := range others {
		seen, _, _ := strings.Cut(f.Log, "\n")
		fmt.Fprintf(&b, "FAIL %s\n    %s\n", f.title(), seen)
	}
	return b.String()
}

func repeats(seed uint64) string {
	return fmt.Sprintf("seed %d; KEEPSAKE_SEED=%d repeats the random cases", seed, seed)
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
	late    bool    // the case's time was over
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
