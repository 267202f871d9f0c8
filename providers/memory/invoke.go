package memory

import (
	"context"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Invoke implements driver.Invoker. The processor is executed under the lock of the key's
// shard.
func (c *cache) Invoke(_ context.Context, key, processor string, args []byte) ([]byte, error) {
	run := driver.ProcessorNamed(processor)
	if run == nil {
		return nil, driver.ErrNoProcessor
	}
	d, err := c.process(key, func(e *entry) driver.Decision {
		if e == nil {
			return run(driver.Item{}, false, args)
		}
		return run(e.item(), true, args)
	})
	if err != nil {
		return nil, err
	}
	if d.Change == driver.DecideStore {
		c.makeRoom(key)
	}
	return d.Output, nil
}

// process shows decide the live entry of a key, or nil, and does what it decides.
func (c *cache) process(key string, decide func(*entry) driver.Decision) (d driver.Decision, err error) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := s.entries[key]
	if e != nil && e.dead() {
		c.drop(s, e, driver.EventExpired)
		e = nil
	}
	if e != nil && c.bounded() {
		e.used.Store(time.Now().UnixNano())
	}
	d = decide(e)
	switch {
	case d.Change == driver.DecideStore:
		err = c.store(s, e, key, d.Record, d.Deadline)
	case e == nil:
	case d.Change == driver.DecideRemove:
		c.drop(s, e, driver.EventRemoved)
	case d.Change == driver.DecideRetime:
		c.setDeadline(s, e, d.Deadline)
	}
	return d, err
}
