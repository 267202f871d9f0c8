package part

import "fmt"

// Recount counts the contents one by one, and says which of the counters that are kept
// with every write is wrong.
func (r *Replica) Recount() error {
	bytes, tombstones := int64(0), int64(len(r.filters)*filterCost)
	var sum uint64
	for _, sp := range r.list {
		live := 0
		for key, e := range sp.entries {
			switch {
			case e.is(gone) || e.key != key:
				return fmt.Errorf("an entry that is in no map any more is in that of %s", sp.name)
			case e.live():
				live++
				bytes += e.cost() + int64(e.size)
				sum += sp.digest(e)
			case e.size != 0:
				return fmt.Errorf("a tombstone of %s counts %d bytes", sp.name, e.size)
			default:
				tombstones += e.cost()
			}
		}
		if sp.live != live {
			return fmt.Errorf("%s is said to have %d records, and has %d", sp.name, sp.live, live)
		}
	}
	if r.bytes != bytes || r.sum != sum {
		return fmt.Errorf("%d bytes with the sum %x are said to be there, and %d with the sum %x are", r.bytes, r.sum, bytes, sum)
	}
	if r.tombstoneBytes != tombstones {
		return fmt.Errorf("deletions are said to take %d bytes, and take %d", r.tombstoneBytes, tombstones)
	}
	return nil
}
