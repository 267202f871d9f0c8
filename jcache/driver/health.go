package driver

import (
	"slices"
	"time"
)

// A Reporter is a Provider that knows how it and its servers are.
type Reporter interface {
	// Health answers from knowledge, without any input or output. It is asked about once
	// a second.
	Health() Health
}

// Health is what a provider knows of itself. Each reason is one sentence for an operator,
// without a full stop. The zero Health is that of a provider of which nothing bad is known.
type Health struct {
	// Unready says why operations are not carried out as they are configured, so that this
	// process should get no requests. A server that is down beside others that serve is
	// no reason.
	Unready []string
	// Pending says why another process of the fleet must not be restarted yet although
	// this one serves. It passes by itself: copies are being made, say.
	Pending []string
	// Unsafe says the same, for what stays until somebody does something about it or
	// much time passes: records were lost, say.
	Unsafe []string
	// Differences are in what other processes of the fleet differ that should agree. One
	// with an effect is among the reasons of Unsafe, too.
	Differences []Difference
	// Servers are those that the provider connects to, if it knows each of them.
	Servers []Server
}

// A Difference is between this process and another one of the fleet.
type Difference struct {
	// What differs, such as properties.servers.
	What string
	// Process is the other one, for people.
	Process string
	// There is what it has, and Here what this one has.
	There, Here string
	// Effect says what is lost by it; empty: they only behave differently.
	Effect string
}

// String is the difference in one sentence, without a full stop.
func (d Difference) String() string {
	text := d.What + " is " + d.There + " in " + d.Process
	if d.Here != "" {
		text += ", and " + d.Here + " here"
	}
	if d.Effect != "" {
		text += ": " + d.Effect
	}
	return text
}

// A Server is one of the servers that a provider connects to.
type Server struct {
	// Name tells the servers apart; as a rule it is the address.
	Name string
	// Down says why it cannot be used; empty: it can, as far as is known. Since is when
	// that began.
	Down  string
	Since time.Time
	// Affected says what cannot be done while it is down.
	Affected string
	// Memory is how many bytes the server may fill, and Used how many it has filled.
	// Evictions is how many live records it has dropped for lack of room since it was
	// started. Memory is zero if all that is not known.
	Memory, Used int64
	Evictions    uint64
	// Ahead is by how much its clock is ahead of this process's, to a second or two, when it
	// was asked last. Zero: by nothing, or nobody knows.
	Ahead time.Duration
}

// Ready reports whether operations are carried out as configured.
func (h Health) Ready() bool { return len(h.Unready) == 0 }

// Safe reports whether another process of the fleet may be restarted without a loss.
func (h Health) Safe() bool { return h.Ready() && len(h.Pending)+len(h.Unsafe) == 0 }

// Reasons says why it is not ready, and then why it is not safe.
func (h Health) Reasons() []string { return slices.Concat(h.Unready, h.Pending, h.Unsafe) }
