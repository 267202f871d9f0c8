package part

// Counters count what a replica did since it was made.
type Counters struct {
	// Merged are the records and deletions taken over from another cluster, or from a
	// member that was left behind.
	Merged uint64
	// Conflicts are the keys that both sides had changed. Discarded are the versions of
	// which nothing was kept: they lost to a later one, or a policy said so. An offer that
	// starts over is counted again.
	Conflicts, Discarded uint64
	// Evicted are the records that were dropped for lack of memory, and Expired those
	// whose deadlines had passed, both at the primary.
	Evicted, Expired uint64
}

// Add adds what another replica did.
func (c *Counters) Add(o Counters) {
	c.Merged += o.Merged
	c.Conflicts += o.Conflicts
	c.Discarded += o.Discarded
	c.Evicted += o.Evicted
	c.Expired += o.Expired
}
