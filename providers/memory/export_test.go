package memory

import (
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const EntryCost = entryCost

// Audit says what is wrong with the accounts and the bounds of a cache; nothing: all is well.
func Audit(opened driver.Cache) string {
	c := opened.(*cache)
	var entries, bytes int64
	for i := range c.shards { // all of them stay locked
		c.shards[i].mu.RLock()
		defer c.shards[i].mu.RUnlock()
		for _, e := range c.shards[i].entries {
			entries++
			bytes += e.cost()
		}
	}
	order := int64(c.order.fresh.Len() + c.order.used.Len())
	switch {
	case entries != c.entries.Load() || bytes != c.bytes.Load():
		return fmt.Sprintf("%d entries of %d bytes are counted as %d of %d", entries, bytes, c.entries.Load(), c.bytes.Load())
	case order != entries:
		return fmt.Sprintf("%d entries of %d can be evicted", order, entries)
	case c.over(entries, bytes):
		return fmt.Sprintf("%d entries of %d bytes are over the bound", entries, bytes)
	}
	return ""
}
