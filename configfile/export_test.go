package configfile

import "time"

// SetClock gives a process that opens the configuration another clock.
func SetClock(c *Config, now func() time.Time) { c.now = now }
