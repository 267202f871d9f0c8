package sql

import "time"

// SetWatchLease makes watchers say more often that they are there, and sooner forgotten.
func (p *Provider) SetWatchLease(d time.Duration) { p.watchLease = d }
