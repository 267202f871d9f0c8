package part

import "fmt"

// Recount counts the contents one by one, and says which of the counters that are kept
// with every write is wrong.
func (r *Replica) Recount() error {
	var bytes int64
	var sum uint64
	for _, sp := range r.list {
		live := 0
		for key, e := range sp.entries {
			bytes += int64(len(e.key)) + entryCost
			switch {
			case e.is(gone) || e.key != key:
				return fmt.Errorf("an entry that is in no map any more is in that of %s", sp.name)
			case e.live():
				live++
				bytes += int64(e.size)
				sum += sp.digest(e)
			case e.size != 0:
				return fmt.Errorf("a tombstone of %s counts %d bytes", sp.name, e.size)
			}
		}
		if sp.live != live {
			return fmt.Errorf("%s is said to have %d records, and has %d", sp.name, sp.live, live)
		}
	}
	if r.bytes != bytes || r.sum != sum {
		return fmt.Errorf("%d bytes with the sum %x are said to be there, and %d with the sum %x are", r.bytes, r.sum, bytes, sum)
	}
	return nil
}
