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
//     changed and nothing will be.
//  6. The context is honoured: a call returns soon after it ends. If a write may
//     have been sent by then, the error matches both ErrIndeterminate and the
//     context's error.
//  7. Errors name neither keys nor values nor credentials.
//
// Package conformance checks each of these sentences.
package driver
