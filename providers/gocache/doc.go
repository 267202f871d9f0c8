// Package gocache is a bridge both ways to github.com/eko/gocache: caches of this module on any of
// its stores, and a cache of this module as one of its stores.
//
// # A store as a provider
//
//	manager, err := gocache.Open(ctx, gocache.Options{Store: store, SingleProcess: true})
//
// A store of gocache can read, set and delete. It has no operation on a condition, so this package
// makes one: it keeps everybody in this process from a key while it reads and then writes it. That
// does not bind other processes. So operations that decide by what is there are atomic within one
// provider of one process only, and SingleProcess must say that there is no other one: several processes,
// or several providers in one, on the same store and prefix lose updates. If servers are shared, the
// providers memcached and redis are the ones to use.
//
// The application may use the store beside it, as long as it leaves the keys alone that begin
// with the prefix. Packages bigcache, redis and memcache below this one make the stores of these names
// known to configuration files.
//
// # What it promises
//
// Deadlines are exact, whether the store knows of expiry or not: each record is kept with its deadline, and
// what is past it is absent. A store that knows expiry is told a time a second later, so that it
// gives back what nobody reads.
//
// Clear removes the entries of its cache only, whatever else is in the store; the store's own Clear, which
// empties a whole server for most of them, is never called. Records carry the time when they were written,
// and a cache the time when it was cleared, under a key of its own; what is older is absent. If the store evicts
// that key, and the process ends, what was cleared may come back.
//
// A store may evict what it likes. It cannot list, count, watch or lock.
//
// Keys are stored as prefix:cache:key, and under their SHA-256 if they are long or hold more than
// printable ASCII. Values are stored as bytes, or as strings in a store that takes nothing else; opening finds
// out which.
//
// # Contexts
//
// Most stores do not obey contexts. Unless InProcess says that the store never waits, a call runs on a
// goroutine of its own, and who gives it up does not wait for it: a write has an unknown
// outcome then (driver.ErrIndeterminate), and until it has ended nobody else gets at its key. Close waits for
// all of them, so the store's client needs timeouts.
//
// # A cache as a store
//
// NewStore makes a cache a store of gocache, so that its Chain, Loadable, Metric and Marshaler work on it.
package gocache
