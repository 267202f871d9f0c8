package topology

import "github.com/cespare/xxhash/v2"

// Hash is the place of a key among all keys, the same in every process of every version: its
// XXH64 with seed 0.
func Hash(key string) uint64 { return xxhash.Sum64String(key) }

// PartitionOf returns the partition, of so many, that a key belongs to.
func PartitionOf(key string, partitions int) int { return int(Hash(key) % uint64(partitions)) }
