package configfile

import "time"

// SetClock gives a process that opens the configuration another clock.
func SetClock(c *Config, now func() time.Time) { c.now = now }

// SetVersion has the processes that are opened from now on be of another version of the module. It returns what undoes that.
func SetVersion(v string) (undo func()) {
	before := version
	version = func() string { return v }
	return func() { version = before }
}
