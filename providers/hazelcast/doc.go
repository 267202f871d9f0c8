// Package hazelcast keeps caches in the maps (IMap) of a Hazelcast cluster, version 4 or
// 5; it is tested with members of 5.3.8 and 5.7.0: make members.
//
//	manager, err := hazelcast.Open(ctx, hazelcast.Options{
//		Servers:     []string{"10.1.0.5:5701", "10.1.0.6:5701"},
//		ClusterName: "shop",
//	})
//
// The cache carts is the map keepsake.carts, with strings as keys and byte arrays as
// values. Java programs reach the same map as an IMap. They do not reach it through
// Hazelcast's own JCache provider, whose caches (ICache) are another data structure that
// no Go client can read.
//
// # The members
//
// [MemberConfig] is the recommended configuration of the members, with the reasons. Of
// an existing cluster only the map element must be taken over. What matters:
//
//   - in-memory-format must not be OBJECT, and max-idle-seconds must not be set. Opening a
//     cache tries entries on every member, and fails with a sentence that says so. When a member
//     joins or the connection comes back, the open maps are tried again, for five minutes;
//     what is wrong then is an error line and makes the provider unsafe to restart.
//   - backup-count 1: a member may be killed without losing what was acknowledged, as
//     long as the next one is not killed before the cluster is safe again.
//   - time-to-live-seconds a little longer than the entries live: then a read is one
//     round trip and an update two, reading and replacing. Without it, or for entries
//     that live longer, a replaced entry takes a third, and a log line says so once.
//
// What a client cannot see must be right all the same:
//
//   - backup-count 0: every entry of a member that ends is lost.
//   - eviction: live entries are dropped, sessions end early.
//   - DiscardMergePolicy: after a split everything that one side wrote is lost, what was
//     created there included. A default map, which has PutIfAbsentMergePolicy, loses the
//     updates of one side. Members take LatestUpdateMergePolicy only with
//     per-entry-stats-enabled, and that is seen: a log line warns of a map without it.
//
// # Expiry
//
// Deadlines are exact, because they stand in the entries. The members' clocks do not matter for that; they are compared with this
// process's each minute, to a second, and jcache.Health tells. Members forget an entry
// later: two seconds after its deadline if it was put. If it was replaced since, they keep
// it for the map's time-to-live-seconds from then on; or, if its life is longer than that,
// for the cache's LongestTTL and a minute, which is 30 days where that is unknown, and is
// doubled until it is enough. Sessions tell their own bound. Two programs that replace an
// entry at the same moment, one with a life within that bound and one beyond it, may in
// rare cases leave the longer life with the shorter bound, until the next write. Only
// entries that live longer than ten years are eternal for the members.
//
// # What happens when members fail
//
// Of consistency and availability a map chooses availability. Measured with two members
// and one backup:
//
//   - A member is killed under load: nothing that was acknowledged is lost, and its
//     entries can be written again after about a second.
//   - A member hangs: nobody can write for some seconds, and its entries are out of reach
//     until the others expel it. When it wakes up, it has what it had then, and is a cluster of its own until one joins the
//     other. Of two members their addresses decide which one joins; the smaller side of more does. If the others join the one that
//     was expelled, calls wait, and fail with jcache.ErrUnavailable after RequestTimeout, from when they leave their clients
//     until ten seconds after they are together again: a quarter of a minute as a rule. A client that follows it at once
//     loses what was written meanwhile, 25,671 of 36,175 increments in one freeze; of clients that wait two freezes lost none
//     of 22,948. Ten freezes on a machine with several times the work that it has processors for lost 1,194 of 31,063, all
//     in the first one, while the wait was five seconds: members say nothing of how far they have merged. If nobody joins within thirty
//     seconds, calls go on with what that member has, and a log line says so. A process that was started
//     meanwhile knows nothing of all that. Three members do not have that gap: a lone one joins the two. Entries
//     that were removed while the member was away come back with it.
//   - Another member hangs or dies before the last one is merged: entries of which it had the
//     only copy are lost, and a session that had ended may be alive again. When twenty freezes
//     followed each other as soon as the members had met, 6 of 99,337 logouts and renewals were
//     undone, and none of 126,535 when ten seconds were in between. Members report cluster-safe
//     before they have merged, and no client can see when they have.
//   - The network splits the cluster and both sides write: afterwards the later update
//     of an entry wins, as a whole. Entries that were removed during the split come back if
//     the other side has them. On a default map the updates of the smaller side are lost.
//   - Every member is gone: so is the data. The client connects to the next cluster in
//     the same place by itself.
//
// But for that, sessions that were logged out or renewed stay dead in all of this, on the recommended map and
// on a default one: package httpsession keeps what ended them under a key of its own. To look
// for that is another round trip for sessions that are older than the last moment in which a
// member joined, or the connection came back, until five minutes later. While the members merge
// what they have, which takes seconds, a session that ended on the side that joins may be seen
// once more. What one side of a split sets in a session is lost if the other side uses the session
// after that, be it only to read: the use is recorded in it. The directory docs/faults has the
// figures; make faults measures them again.
//
// Locks are no better than that, and a lock does not stop those who do not ask for it.
//
// # Calls
//
// Every call has a deadline: its context's, or RequestTimeout. A read whose first attempt
// is not answered in half of that time, but half a second at least, or in RequestTimeout, is
// made again. Of records of 16 KiB and more no more than 512 KiB are asked for at once; other
// readers wait for their turn, and those who give up meanwhile have cost nothing. A write is
// sent once. If its acknowledgement is lost, package jcache reads the entry and finds
// out by the identifier of the write, for which half of the time is left; only if that
// is impossible the error matches jcache.ErrIndeterminate. While there is no connection
// to any member, calls wait for one up to RequestTimeout after it was lost and fail at
// once from then on, with jcache.ErrUnavailable: nothing was sent.
//
// # Events
//
// The members send each event at most once. When a watcher is slower than its events, or
// a connection is lost or new, the watchers are told that there is a gap. Removals by
// Delete do not say what was removed.
//
// # Configuration files
//
// The provider's uri names a Java client's own hazelcast-client.xml or .yaml, or a member's
// hazelcast.xml or .yaml; package clientfile says how it is read. Settings of the configuration, such as servers and
// clusterName, override it.
package hazelcast
