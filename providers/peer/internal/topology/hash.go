package topology

// Hash is the place of a key among all keys, the same in every process: FNV-1a, with the
// finalizer of SplitMix64 since its low bits decide too little.
func Hash(key string) uint64 {
	h := uint64(14695981039346656037)
	for i := 0; i < len(key); i++ {
		h = (h ^ uint64(key[i])) * 1099511628211
	}
	return Mix(h)
}

// PartitionOf returns the partition, of so many, that a key belongs to.
func PartitionOf(key string, partitions int) int { return int(Hash(key) % uint64(partitions)) }
