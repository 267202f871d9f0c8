// Package memcached keeps caches on memcached servers,
// through github.com/bradfitz/gomemcache. It needs the meta commands of memcached 1.6; whether another
// server can do what it needs is found out when the provider connects to it.
//
//	manager, err := memcached.Open(ctx, memcached.Options{Servers: []string{"cache1", "cache2"}})
//
// # What it promises
//
// Every process that lists the same servers and prefix sees the same records. Swap
// is memcached's cas, and removing by Swap is a delete on condition of the cas number; both
// are atomic across processes. Deadlines of any length are kept: an item never goes before
// its deadline, and at most three seconds after.
//
// In steady state Get, Put, Delete and Swap are one exchange with one server, and
// GetBatch is one with each server that has some of the keys. About once a second the
// first write to a server asks for the cache's generation too.
//
// It cannot list, count, watch or lock records: memcached has no means for that.
//
// # Keys and servers
//
// A key is stored as prefix:cache:key. Keys that are too long for memcached (250
// bytes in all) or hold white space or control characters are stored under their
// SHA-256, and kept beside the record to tell them apart.
//
// Keys are spread by ketama consistent hashing, compatible with libmemcached's
// weighted variant. The list of servers must be the same, with the same spelling, in
// all processes; its order does not matter. After the list has changed, keys that moved
// have out-of-date records on the servers they left: flush a server that leaves before
// it joins again.
//
// There is no failover: while a server is down, its keys are unavailable
// (driver.ErrUnavailable) and all others are served. Moving its keys to another
// server would lose them too, and once it is back, possibly for some processes sooner
// than for others, old records would come back with it. A server that restarts is used
// again at once.
//
// Whether a server is up is known from calls, and from a ping each second to one that is down
// or had nothing else to answer. Placement tells which keys are unavailable, so that who can
// choose a key, as sessions choose their ids, chooses one that can be stored.
//
// # Memory
//
// memcached drops the items used least recently when it runs out of memory, also
// when only those of similar size have run out. For a cache that is as it should be. For
// sessions it means that users are logged out: give the servers memory to spare, watch
// their evictions, or run them with -M. With -M a write that finds no room fails with
// driver.ErrFull; if it was a Put, memcached has dropped the key's old record by then. What
// needs no room goes on: to read, to remove and, with Prolong, to move a deadline. So a session
// can end, and lives as long as it is used.
// A server that restarts has lost everything.
//
// A record must fit into an item: about 1 MiB, unless memcached was given another -I.
// Larger ones are refused before they are sent.
//
// # Connections
//
// There are at most MaxConnections to each server. Calls beyond wait in a queue, in their
// order, until their context ends. A server that takes no more connections is served with
// those that there are; about once a second another one is tried. One that is unused for half a
// minute is closed, but for the last.
//
// # Timeouts
//
// Calls end when their context does. A server that keeps silent for RequestTimeout,
// or cannot be connected to within ConnectTimeout, is unavailable. If a write was sent
// and not acknowledged, the error matches driver.ErrIndeterminate; in every other case
// nothing was changed. Unused connections that the server has closed are noticed before
// anything is sent on them.
//
// # Clear
//
// A cache has a generation on each server, a number under prefix:cache@. Items carry the
// number of the generation they were written under. Clear raises it on every server, which
// must all answer; items with a lower number are absent from then on.
//
// A generation, once fetched, is used for a lease of one second from before it was
// asked for. Clear waits one lease before it returns. So whatever begins after Clear
// returned uses the new generation, and only records that were written while it ran may
// share the fate of those before it.
//
// A server may lose a generation, by restart or eviction. A process that knows it puts it
// back. One that does not makes another that clears nothing, whose number is the time of
// day. So a loss may bring back what was cleared, and no record ever disappears by it, if
// the clocks of the processes are roughly right: a process whose clock is behind by more
// than the time since the last Clear, and which does not know that, writes records that others
// take for cleared. A cache that is never cleared depends on no clock and on no such item.
//
// The token of a record is its cas number, its generation and the server's process, since a
// server that restarts counts its numbers from one again.
//
// # The client
//
// Unwrap returns a *memcache.Client for the same servers. It has connections of its own
// and none of the promises above.
package memcached
