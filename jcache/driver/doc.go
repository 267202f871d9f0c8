// Package driver is what a provider implements: a small store of bytes with
// one compare-and-swap. Everything an application sees (types, expiry
// policies, atomic operations, retries, errors) is built once on top of it, in
// package jcache.
//
// # What the portable layer guarantees
//
// Contexts are never nil. Keys are non-empty and no longer than
// [Info.MaxKeyBytes]; records are non-empty and no longer than
// [Info.MaxRecordBytes]. After Close no other method is called, and Close is
// called once. Only the loop body of a Scan may outlast Close: it then ends the loop at
// its next step, and the driver must take that. Every other method may be called by
// many goroutines at once.
//
// A driver that bounds its input and output by the deadline of a context need not wait for
// its Done as well, which may cost a timer: see [Cancellation].
//
// Records are immutable in both directions. A record passed to a driver is
// never changed afterwards, so the driver may keep it without copying; a record
// that a driver returns is never changed by the caller, and the driver must
// not change it either, even after the key is overwritten or removed.
//
// A driver never looks inside a record, with one promise it may use: the first
// [WriteIDBytes] bytes are a random identifier of the write, different for
// any two writes. A backend that can only compare values may therefore compare
// records, and one write id is enough.
//
// # What a driver guarantees
//
//  1. Swap is linearizable for each key against every Put, Delete and Swap of
//     every client of the backend.
//  2. Any successful write makes every older token of that key fail (no ABA).
//  3. A record is readable as soon as the call that wrote it returned, by every
//     client, and gone as soon as the call that removed it returned.
//  4. A record is never dropped because of its deadline before that deadline. A
//     backend with a coarse clock keeps it longer: the portable layer has the
//     exact deadline in the record and ignores what is dead.
//  5. An error that does not match [ErrIndeterminate] means that nothing was
//     changed and nothing will be. A call that returns no error was carried out: an
//     error is never swallowed, and never told as an absent key, an empty result or a
//     swap that was refused. Trouble with the backend matches [ErrUnavailable], or
//     ErrIndeterminate if a write may have been sent.
//  6. The context is honoured: a call returns soon after it ends, and its error
//     matches the context's. If a write may have been sent by then, the error matches
//     ErrIndeterminate as well.
//  7. Errors name neither keys nor values nor credentials.
//  8. A write is carried out once: what may have been sent is not sent again.
//  9. A provider recovers by itself once its backend is back. An answer that comes late
//     or in pieces is an answer; one to a call that was given up is not given to another
//     call.
//
// # Health
//
// A provider that knows how it and its servers are implements [Reporter]: /healthz, metrics,
// log lines and the waiting for a safe moment are made of it. One that hands records over
// when it is closed implements [Leaver]. One whose servers do not agree after a split of their
// network which records were removed implements [Splitter]. A cache that knows which keys cannot be served, or
// which this process serves itself, implements [Locality].
//
// # Clocks
//
// A deadline is a time of the calling process's clock, in whole milliseconds. Send to
// a backend how much of a life is left, rounded up: what is rounded down is gone too early,
// and one below the backend's unit must not become zero, which often means for ever. A
// backend that is sent the time of day must have a clock that agrees with every client's.
//
// # Retries
//
// Client libraries like to send again what was not acknowledged. Switch that off for
// everything that changes something. A put that is sent twice may undo what somebody
// else wrote in between, and a swap that is sent twice is refused the second time although it
// took effect the first time. The portable layer repeats what can be repeated, since it finds
// its own write id in the record. Reads may be repeated for as long as their context lasts.
//
// Package conformance checks each of these sentences.
//
// # Settings
//
// A provider that files can choose registers a [Definition] with its settings. They are declared once, as
// package setting describes; parsing, checking, keepsake check, the schemas and the reference follow from that.
package driver
