package sim

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A contributor is a client that adds elements to a set, to which others add, too: it swaps
// what it has read for that and one more. The sets of two sides of a split are united when
// they merge, so every element that was acknowledged is there in the end, in every scenario.
type contributor struct {
	clients *clients
	client  int
	added   []int
}

const setCache = "sets"

// setKey is the key of the set: one after those of other clients.
func (w *world) setKey() int { return w.scenario.Keys + 1 }

// begin reads the set.
func (c *contributor) begin() {
	w := c.clients.world
	if w.calm {
		return
	}
	o := c.clients.newOp(c.client, w.setKey())
	if o == nil {
		w.after(50*ms, c.begin)
		return
	}
	o.cache, o.done = setCache, func(o *op) { w.after(0, func() { c.read(o) }) }
	c.clients.open(o)
}

// read adds an element to what was found.
func (c *contributor) read(o *op) {
	w := c.clients.world
	next := c.clients.newOp(c.client, w.setKey())
	if o.outcome != done || next == nil {
		w.after(w.between(0, 100*ms), c.begin)
		return
	}
	c.clients.value++
	n := c.clients.value
	next.kind, next.cache = part.Swap, setCache
	next.demand.version = o.result.Present.Version
	next.record = united(o.result.Present.Record, strconv.AppendInt(nil, int64(n), 10))
	next.done = func(o *op) {
		if o.outcome == done && o.result.Status == part.OK {
			c.added = append(c.added, n)
		}
		w.after(w.between(50*ms, 400*ms), c.begin)
	}
	c.clients.open(next)
}

// missing returns elements that were acknowledged and are not in a set.
func (c *contributor) missing(set []byte) []int {
	elements := split(set)
	return slices.DeleteFunc(slices.Clone(c.added), func(n int) bool { return slices.Contains(elements, n) })
}

// mergeOf returns the merge function of a cache.
func mergeOf(cache string) part.MergeFunc {
	if cache == setCache {
		return unite
	}
	return nil
}

// unite is the merge function of the sets.
func unite(ours, theirs *part.Item) (record []byte, left time.Duration) {
	return united(ours.Record, theirs.Record), 0
}

// united returns the elements of two sets, in order.
func united(a, b []byte) []byte {
	elements := append(split(a), split(b)...)
	slices.Sort(elements)
	var set []byte
	for i, n := range slices.Compact(elements) {
		if i > 0 {
			set = append(set, ',')
		}
		set = strconv.AppendInt(set, int64(n), 10)
	}
	return set
}

func split(set []byte) []int {
	var elements []int
	for element := range bytes.SplitSeq(set, []byte{','}) {
		if len(element) > 0 {
			elements = append(elements, number(element))
		}
	}
	return elements
}
