package topology

import (
	"cmp"
	"slices"
)

// Target returns which members should hold each partition, best first, n copies in
// all where there are as many members. Members that leave hold none.
//
// It is rendezvous hashing (Thaler and Ravishankar, 1998): every member has a weight
// for every partition, and the heaviest hold it. When a member comes or goes, only
// partitions that it holds move. Copies are in different zones as long as there are
// zones without one.
func Target(members []Member, partitions, n int) [][]ID {
	staying := make([]Member, 0, len(members))
	for _, m := range members {
		if !m.Leaving {
			staying = append(staying, m)
		}
	}
	n = min(n, len(staying))
	target := make([][]ID, partitions)
	order := slices.Clone(staying)
	for p := range target {
		slices.SortFunc(order, func(a, b Member) int {
			return cmp.Or(cmp.Compare(weight(p, b.ID), weight(p, a.ID)), cmp.Compare(a.ID, b.ID))
		})
		target[p] = pick(order, n)
	}
	return target
}

// pick takes the first n members of an order, members of zones that are not yet
// among them before others.
func pick(order []Member, n int) []ID {
	picked := make([]ID, 0, n)
	var zones []string
	for _, second := range []bool{false, true} {
		for _, m := range order {
			if len(picked) == n {
				return picked
			}
			if slices.Contains(picked, m.ID) || !second && slices.Contains(zones, m.Zone) {
				continue
			}
			picked = append(picked, m.ID)
			zones = append(zones, m.Zone)
		}
		clear(zones)
	}
	return picked
}

// weight mixes a partition and a member: the finalizer of SplitMix64 (Steele, Lea and
// Flood, 2014), twice.
func weight(partition int, id ID) uint64 {
	return Mix(Mix(uint64(id)) + uint64(partition)*0x9e3779b97f4a7c15)
}

// Mix spreads a number over all its bits.
func Mix(x uint64) uint64 {
	x ^= x >> 30
	x *= 0xbf58476d1ce4e5b9
	x ^= x >> 27
	x *= 0x94d049bb133111eb
	return x ^ x>>31
}
