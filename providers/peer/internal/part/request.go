package part

import (
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A Request is an operation on one key, or on one cache's keys in the partition. From
// Do until its reply it belongs to the replica, which does not change it. The record
// is copied, unless it is Given.
type Request struct {
	Kind Kind
	// Op makes a request that is sent again be executed once. Reads need none.
	Op         OpID
	Cache, Key string
	// Record is what Put and Exchange store, and Swap. Nil deletes, in Exchange
	// and Swap. Given: nobody else has it.
	Record []byte
	Given  bool
	// Token is what Swap and Touch demand the present version to be. Zero
	// demands that the key be absent.
	Token Version
	// TTL is the time until the record expires. Zero: it does not. Less than zero
	// stands for a deadline that has passed.
	TTL time.Duration
	// Until is the same deadline by the caller's clock, in microseconds since 1970, zero
	// if there is none. It decides nothing; whoever reads the record gets it back.
	Until int64
	// Processor is the name of the function that Process calls, with Args.
	Processor string
	Args      []byte
	// Lineage is that of the configuration by which the request was sent here. It is
	// executed under no other one. Zero: it does not matter.
	Lineage uint64
	// Expires is the monotonic time by which the request is answered.
	Expires int64
	// Tag comes back in the reply.
	Tag uint64

	arrived int64 // monotonic time
}

// TTL returns the time until a deadline as Until has it, which is not zero, as the field TTL
// has it.
func TTL(until int64, now time.Time) time.Duration {
	if left := time.UnixMicro(until).Sub(now); left != 0 {
		return left
	}
	return -1
}

// ttl returns what is left of TTL after the request has waited.
func (req *Request) ttl(now Now) time.Duration {
	if req.TTL <= 0 {
		return req.TTL
	}
	if left := req.TTL - time.Duration(now.Mono-req.arrived); left > 0 {
		return left
	}
	return -1
}

// Kind is what a request does.
type Kind uint8

// The kinds of requests.
const (
	Get      Kind = iota
	Put           // stores a record whatever was there before
	Delete        // removes the key; Result.Present is what was there
	Exchange      // as Put or Delete; Result.Present is what was there
	Swap          // stores or removes if the present version is Token
	Touch         // gives the record a new deadline if its version is Token
	Clear         // removes every record of the cache in this partition
	Process       // calls a function on the record
)

// Status says how a request ended.
type Status uint8

// The statuses.
const (
	// OK: it was executed, and every replica in sync has the outcome.
	OK Status = iota
	// NotSwapped: the version was another one; Result.Present is what is there.
	NotSwapped
	// NotPrimary: nothing was applied here, since this member is not the primary
	// of the partition.
	NotPrimary
	// Timeout: nothing was applied, since the partition could not be served until
	// the request expired.
	Timeout
	// Unknown: it was executed, but whether the outcome lasts is not known, since
	// the request expired before, or this member is the primary no more. The same
	// request sent to the new primary is not executed again if the outcome lasts.
	Unknown
	// NoSpace: nothing was applied, since there is no memory left.
	NoSpace
	// NoProcessor: nothing was applied, since there is no function of that name.
	NoProcessor
	// Wait: Get and Peek cannot answer at once; Do can.
	Wait
)

// Found is a record that was found.
type Found struct {
	OK      bool
	Record  []byte // immutable
	Version Version
	// Left is the time until the record expires. Zero: it does not.
	Left time.Duration
	// Until is the deadline as it was given.
	Until int64
}

// A Result is the outcome of a request.
type Result struct {
	Status Status
	// Present is what Get found, what Delete and Exchange replaced, and what
	// is there instead of what a Swap or Touch demanded.
	Present Found
	// Version is the version that was written. Zero: nothing was.
	Version Version
	// Copies is how many members have what was written, this one included.
	Copies int
	// Output is what a processor returned.
	Output []byte
	// Repeated: an earlier request of the same OpID was executed, so that Present
	// and Output are not known any more.
	Repeated bool
	// Epoch is the epoch of the partition that a member knows that is not
	// primary.
	Epoch topology.Stamp
	// Lineage is that under which the request ended, if it is not the request's. Zero: it is.
	Lineage uint64
}

// unknown is the result of a request that was executed, if whether that lasts is not known. What it
// would answer is in it, see Complete.
func (r Result) unknown(epoch topology.Stamp) Result {
	r.Status, r.Epoch = Unknown, epoch
	return r
}

// Complete returns a result with what a repetition cannot tell, if an attempt before it ended
// with Unknown and it was that attempt's write which lasts.
func (r Result) Complete(before Result) Result {
	if r.Repeated && before.Status == Unknown && before.Version == r.Version && r.Version != 0 {
		r.Present, r.Output, r.Repeated = before.Present, before.Output, false
	}
	return r
}

// Under returns what a result means to a caller that follows the configurations of a lineage. On
// another side of a split it means nothing that something was executed.
func (r Result) Under(lineage uint64) Result {
	if r.Lineage == 0 || r.Lineage == lineage || r.Status != OK && r.Status != NotSwapped {
		return r
	}
	return Result{Status: Unknown, Epoch: r.Epoch}
}

// A Reply answers the request of the same tag.
type Reply struct {
	Tag uint64
	Result
}

// A Processor is a function that is executed where the record is. It must not keep or
// change its arguments. What it decides is replicated, not the function.
type Processor func(present Found, args []byte) Decision

// A Decision is what a processor decides.
type Decision struct {
	Change Change
	// Record, TTL and Until are stored if Change says so: see Request.
	Record []byte
	TTL    time.Duration
	Until  int64
	// Output goes to the caller.
	Output []byte
}

// Change is what a processor does to its key.
type Change uint8

// The changes.
const (
	Keep Change = iota
	Store
	Remove
	Retime // gives the record that is there a new deadline
)

// A MergeFunc decides what becomes of a key that both of two clusters changed since
// they parted. An item's Kind is ItemPut or ItemDelete. It returns the record to store
// and the time until it expires (zero: never), or a nil record to delete the key. It
// must not depend on the order of its arguments.
type MergeFunc func(ours, theirs *Item) (record []byte, left time.Duration)

// An Event tells the primary's member of a committed write.
type Event struct {
	Kind       ItemKind
	Cause      Cause
	Cache, Key string
	// Record is what was put; Old is what was there before. They are immutable.
	Record, Old []byte
	Version     Version
	// Seq numbers the writes of the reign. Touches have numbers, and no events.
	Seq uint64
}
