// Package peer keeps caches in the processes themselves: each is a member of a grid and
// holds a part of the records, and copies of others' parts. There is no other software,
// and two members are enough.
//
// # What it promises
//
// A write is acknowledged when its primary and all its replicas that are in sync have it,
// or as many of them as Options.SyncReplicas says, never because a timer ran out. So
// whatever was acknowledged survives the loss of as many members at once as writes wait
// for, and the loss of any number one after the other, if there is time between them to
// make new copies: Provider.Safe says when. A process that is closed hands its records
// over before it ends.
//
// Operations on one key are linearizable as long as the network does not split, also
// while members fail, pause, join and leave. The exception is a provider with LocalReads.
// When the network splits a grid of three members or more, only the side with most of them
// goes on; of two, both do. Options.OnSplit chooses otherwise. What no member in reach has a
// copy of is never said to be absent: operations on it wait, and end as unavailable. When sides
// that went on meet again they merge: the later write of a key wins, unless its codec has a merge
// of its own as sessions have, and what was deleted stays deleted.
//
// Records are in memory only. When the last member ends they are gone.
//
// # How it works
//
// Keys belong to 271 partitions. Each has a primary, which executes the operations in
// order and sends the outcome to the replicas: primary/backup replication in the manner
// of PacificA (Lin et al., 2008). The oldest member decides who is primary of what, under
// configurations that are numbered; leases make sure that a member which was replaced
// does not serve. Gossip finds members and suspects failures, and decides nothing.
//
// # Clients
//
// A process with Options.Mode Client holds no records and is no member: nobody waits for
// it. It asks the members for the configuration, and each primary directly. It needs no
// port: the members tell it of changes on the connections that it has made. With
// Options.NearBytes it keeps what it has read, until the primary tells of a change; what
// it reads is then the record of at most two seconds ago.
//
// # Ports and trust
//
// A member listens on one port, for everything. Connections are TLS 1.3, and both sides
// prove that they know Options.Security.Secret, or have a certificate of the same
// authority. Whoever does can read and write everything.
package peer
