package memory

import (
	"context"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Invoke implements driver.Invoker. The processor is executed under the lock of the key's
// shard.
func (c *cache) Invoke(_ context.Context, key, processor string, args []byte) ([]byte, error) {
	run := driver.ProcessorNamed(processor)
	if run == nil {
		return nil, driver.ErrNoProcessor
	}
	var d driver.Decision
	var err error
	for again := true; again; again = c.again(key, err) {
		d, err = c.process(key, func(e *entry) driver.Decision {
			if e == nil {
				return run(driver.Item{}, false, args)
			}
			return run(e.item(), true, args)
		})
	}
	if err != nil {
		return nil, err
	}
	return d.Output, nil
}

// process shows decide the live entry of a key, or nil, and does what it decides.
func (c *cache) process(key string, decide func(*entry) driver.Decision) (d driver.Decision, err error) {
	s := c.shard(key)
	s.mu.Lock()
	defer s.mu.Unlock()
	e := c.live(s, key)
	if e != nil {
		c.use(e)
	}
	d = decide(e)
	switch {
	case d.Change == driver.ChangeStore:
		err = c.store(s, e, key, d.Record, d.Deadline)
	case e == nil:
	case d.Change == driver.ChangeRemove:
		c.drop(s, e, driver.EventRemoved)
	case d.Change == driver.ChangeRetime:
		c.setDeadline(s, e, d.Deadline)
	}
	return d, err
}
