package main

import (
	"sync/atomic"
	"time"
)

// A clock is a time of day that can be wrong.
type clock struct{ ahead atomic.Int64 }

func (c *clock) now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// set makes the clock go ahead of the right time, or after it.
func (c *clock) set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }
