package peer

import (
	"context"
	"fmt"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// Invoke implements driver.Invoker: the processor is executed at the key's primary, under
// the lock of its partition, and what it decides is replicated.
func (c *cache) Invoke(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
	res, err := c.do(ctx, key, part.Request{Kind: part.Process, Processor: processor, Args: args})
	switch {
	case res.Status == part.NoProcessor:
		return nil, driver.ErrNoProcessor
	case err != nil:
		return nil, err
	case res.Repeated:
		return nil, fmt.Errorf("%w: it was done, but its result is not known any more", driver.ErrIndeterminate)
	}
	return res.Output, nil
}

// processor returns the processor of a name as replicas call it, or nil.
func processor(name string) part.Processor {
	run := driver.ProcessorNamed(name)
	if run == nil {
		return nil
	}
	return func(present part.Found, args []byte) part.Decision {
		item, found := itemOf("", present)
		return decisionOf(run(item, found, args))
	}
}

func decisionOf(d driver.Decision) part.Decision {
	to := part.Decision{Record: d.Record, Until: untilOf(d.Deadline), Output: d.Output}
	if to.Until != 0 {
		to.TTL = part.TTL(to.Until, time.Now())
	}
	switch d.Change {
	case driver.ChangeStore:
		to.Change = part.Store
	case driver.ChangeRemove:
		to.Change = part.Remove
	case driver.ChangeRetime:
		to.Change = part.Retime
	}
	return to
}
