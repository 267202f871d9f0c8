// Package redis keeps caches on a Redis server, version 6.2 or later, or on what speaks like one:
// Valkey, ElastiCache. It is tested with Redis 7.0 and Valkey 9.1.
//
//	manager, err := redis.Open(ctx, redis.Options{Servers: []string{"cache1:6379"}})
//
// The server may be one that Sentinels watch, or one of a cluster:
//
//	redis.Options{Servers: []string{"sentinel1", "sentinel2", "sentinel3"}, MasterName: "shop"}
//	redis.Options{Servers: []string{"cache1:6379", "cache2:6379"}}
//
// # What it promises
//
// Every process that uses the same servers, database and prefix sees the same records. Swap is one
// script with one key, and is atomic across processes. Where the user may execute no scripts it is SET … IFEQ, on servers that
// have it: then caches cannot be watched, and those that other processes watch cannot be written. Deadlines are exact, to the millisecond.
//
// Get, Put, Delete, Swap, Exchange and Touch are one exchange with the server; a batch is one, too.
// Once a second a call also asks for the cache's generation, and whether anybody watches: one that reads does so
// in the same exchange, and one that writes in another one before it. So a session is read in one round trip
// and written in two.
//
// # Keys and records
//
// A key is stored as prefix:cache:key, in the database that is configured, and can be read in redis-cli:
//
//	redis-cli --scan --pattern 'keepsake:sessions:*'
//
// The value is the letters K1, the deadline in milliseconds, and the record. Any other string under such a key
// is damaged, or another program's: an error that matches jcache.ErrUndecodable. Put, Delete and Exchange, which do not
// depend on what is there, replace it; Swap and Touch do not. A session whose record is damaged is none. A list or a set is
// jcache.ErrMisconfigured, and only Put and Delete replace it.
//
// Other keys begin with prefix:cache@, which is no cache's name: the generation, locks, and what is needed for
// watching.
//
// # When a primary fails
//
// Sentinels, or the other servers of a cluster, make a replica the primary, and the provider finds it. Calls
// wait for that as long as they last. Replicas are a little behind: what a primary has acknowledged and
// a replica does not have is lost with the primary. A process that is killed has sent all of it as a rule; one
// that is frozen, or whose network is cut, has not.
//
// With Replicas a write is acknowledged when so many replicas have it, too. If that is all of them, none is lost
// when a primary is killed, or is frozen and replaced: docs/faults/redis.txt has what was counted, and
// make faults counts again. If there are more, it may be another one that becomes the primary: Sentinels choose
// by what they asked the replicas up to a second ago. Such a write takes a connection of its own and a second
// round trip, between the servers. If fewer replicas have it in time, it is carried out all the same, and the
// error matches driver.ErrIndeterminate.
//
// In a cluster a key is on the server that its slot belongs to. Scan and Size ask every primary; they fail while
// one is missing. A scan while slots are being moved may miss keys that move.
//
// # Clocks
//
// A record is dead when its deadline has passed by the clock of the process that looks at it. The
// deadline stands in the value, so the server's clock decides nothing: the server is told how much
// of the life is left, and ten seconds more, to forget the record. So a replica whose clock is
// ahead by less may become the primary, and nothing dies too early.
//
// # Watching
//
// While somebody watches a cache, in whatever process, its writes are scripts which publish what they did in the same
// step, with the record that was there before. Nothing is published while nobody watches: the key prefix:cache@watched
// is there while somebody does, and is looked at once a second. So the first watcher of a cache waits for that
// long. What begins after Watch returned is told; a write that was under way may not be.
//
// An expiry is told once, with the record, by whichever process is in charge of that: it takes what is due from
// prefix:cache@deadlines, a sorted set, and removes each record in the step that tells of it. Its clock decides. The other processes
// stand by. Dead records stay for a minute meanwhile.
//
// A deadline is noted in the step that writes the record. Not so in a cluster, where the set is on another server: there a write
// of a record with a deadline takes one more round trip while somebody watches, and if the process ends in between nothing is noted. So
// the process in charge looks through all records every half minute, and at most a twentieth of its time. What expires and is removed by
// the servers before it was looked at is not told: that takes more than a minute. Nor is what expires
// while none of those who watch can reach the servers for a minute.
//
// Each watcher is told of a gap when a connection ends, when another server becomes a primary, when slots move, and when the servers forgot
// that somebody watches; and again when it hears everything once more. A watcher that is too slow for what is published is cut off by the
// server (client-output-buffer-limit pubsub), which is a gap as well.
//
// In a cluster the channel is an ordinary one, of which each primary is asked for the keys that it has; what it
// passes on for others is ignored, since that may get lost unnoticed. Sharded channels would be one for each of the
// 16,384 slots, because a script may only publish to the slots of its keys, and need Redis 7. A write that is told
// is sent to every server of the cluster.
//
// # Clear
//
// A cache has a generation, a number that is kept under prefix:cache@generation once the cache was cleared.
// Clear raises it, and from then on the keys are prefix:cache@number:key. No record is touched, so
// it takes no longer for a million records than for one. The records of earlier generations are
// removed in the background afterwards, a few hundred at a time; if the process ends meanwhile,
// the next Clear removes them.
//
// A generation that was fetched is used for a lease of one second. Clear waits one lease before it
// returns. So whatever begins after Clear returned uses the new generation, and only
// records that were written while it ran may share the fate of those before it. A generation that the servers
// lose is put back by whichever process knows it.
//
// # Memory
//
// The server must not be allowed to drop records: its maxmemory-policy should be noeviction. With
// another one it drops records when its memory is full, which logs users out; opening logs a
// warning. With noeviction a write that finds no room fails with driver.ErrFull. What needs no room
// goes on: to read, to remove and, from Redis 7 on, to move a deadline. So a session can end, and
// lives as long as it is used.
//
// # Calls
//
// Every call has a deadline. A server that keeps silent for RequestTimeout, or cannot be connected to
// within ConnectTimeout, is unavailable. A write is sent once. If its
// acknowledgement is lost, the error matches driver.ErrIndeterminate. An answer by which the
// server says that it cannot serve now, as READONLY, LOADING, CLUSTERDOWN, TRYAGAIN, MASTERDOWN or BUSY,
// is waited out: nothing was done, so the call is made again until its deadline.
//
// # Locks
//
// Locks are keys of their own, with the lease as their life. They are as good as the server: one
// that loses what it acknowledged, as a replica that was promoted may, forgets locks, too.
//
// # The client
//
// Unwrap returns the rueidis.Client, which is the one that the cache uses.
package redis
