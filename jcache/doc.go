// Package jcache is a standard cache API in the shape of JCache (JSR-107): one
// set of types for programs, whichever provider keeps the entries.
//
// A [CacheManager] is a connection to a provider and holds named caches. A
// [Cache] maps keys to values of any types:
//
//	manager, err := memory.Open(memory.Options{})
//	…
//	carts, err := jcache.CreateCache(ctx, manager, "carts", jcache.Options[string, Cart]{
//		ExpiryPolicy: jcache.Touched[string, Cart](30 * time.Minute),
//	})
//	…
//	err = carts.Put(ctx, "alice", cart)
//	cart, ok, err := carts.Get(ctx, "alice")
//
// # Consistency
//
// Every operation on one key is atomic, across all processes that share the
// provider's entries, and sees every write that returned before it began. A
// conditional operation or a [Processor] reads the entry, decides, and swaps the
// result in if nobody has changed the entry meanwhile; if somebody has, it begins
// again. So a processor may run more than once, though it takes effect once.
//
// A processor with a name, which [RegisterProcessor] gives it, is executed where the
// entry is if the provider can do that. It then needs one round trip and meets no
// contention.
//
// Where a provider goes on while the network is split, both sides may change an entry.
// Afterwards the later write stays, unless the values can be merged: see
// [RegisterMerge].
//
// With a near cache (package jcache/near) reads may answer with what was stored a moment ago.
//
// # Expiry
//
// An [ExpiryPolicy] is asked when an entry is created, read and updated. Deadlines
// are exact to a millisecond on every provider, however coarse its own clock is;
// processes that share entries must have synchronised clocks, since deadlines
// are times of day.
//
// # Keys and values
//
// Keys are stored readably if they are strings or whole numbers; the empty string is a key
// like any other. A type whose keys could not be told apart is refused when the cache is
// created; see [codec.NewKeys]. Values are encoded by a [Codec]. What it accepts comes back
// equal, and the rest is [ErrInvalid] and changes nothing; see [codec.Append] for what the
// default one can hold, and for what a struct needs that programs of several versions
// store. Changing a value that a cache returned does not change the cache.
//
// # Errors
//
// A key that is not there is not an error. Every error is an [*Error] that says
// which operation failed on which cache; what went wrong is found with errors.Is.
// [ErrUnavailable] promises that nothing was changed, so repeating is safe.
// [ErrIndeterminate] says that a write was sent, its acknowledgement was lost, and
// reading the key again could not tell; it is returned only then. [ErrAnswerLost] is the
// case in which the outcome is known, and only the answer is not.
//
// The error of an operation whose context has ended matches the context's error, whatever
// else it matches; that of a context that was cancelled does not match ErrUnavailable.
// An operation without a deadline gets the one that the provider gives a request.
//
// Each operation looks first whether the cache is closed, then at its arguments, and then at
// the context.
//
// # What differs from JSR-107
//
// Absence is a boolean, so null has no meaning of its own. Overloaded methods have
// names of their own: CompareAndRemove, CompareAndReplace, RemoveKeys. Caches are
// always by value. Every call takes a context. Managers are not shared behind
// the caller's back: each Open gives a new one. Cache loaders and writers, entry
// listeners and statistics belong to the portable layer too, and are not in this version.
package jcache
