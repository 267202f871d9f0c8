package main

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"sync"
)

// A counter is what is known of an entry to which all clients add one, again and again.
type counter struct {
	key string

	mu sync.Mutex
	// floor is the highest value that an ended call has seen: none that begins later
	// may see less. before is the same when the fork began.
	floor, before int
	given         map[int]bool // by increments since floor was last reset
	// base was found when all was settled; the others are increments since then.
	base     int
	kept     int          // acknowledged outside of a fork
	sides    map[bool]int // acknowledged by the sides of a fork
	forked   int          // acknowledged in a fork
	doubtful int          // whose outcome is unknown, and which may still be done
	last     []record
}

const (
	counterClients = 3
	countersEach   = 8
)

func newCounters() (all []*counter) {
	for i := range countersEach {
		all = append(all, &counter{key: fmt.Sprintf("counter-%d", i), given: map[int]bool{}, sides: map[bool]int{}})
	}
	return all
}

// counterClient returns what one of the clients does that count.
func (ld *load) counterClient(client int, rng *rand.Rand) (next func()) {
	return func() {
		n := ld.counters[rng.IntN(len(ld.counters))]
		c := call{kind: increment, key: n.key}
		if rng.IntN(3) == 0 {
			c.kind = get
		}
		floor := n.expect()
		r := record{client, c, ld.do(rng, c)}
		if broken := n.note(r, floor, ld.forked); broken != "" {
			ld.broken("%s", broken)
		}
	}
}

// expect returns what a call that begins now must at least see.
func (n *counter) expect() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.floor
}

// open says that a fork begins.
func (n *counter) open() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.before = n.floor
	n.given = map[int]bool{}
}

// note enters a call that was told to see floor at least, and says what is wrong with it.
func (n *counter) note(r record, floor int, f *fork) (broken string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.last = append(n.last, r); len(n.last) > keptRecords {
		n.last = n.last[1:]
	}
	switch {
	case r.outcome == nothing || r.kind == get && r.outcome != done:
		return ""
	case r.outcome != done:
		n.doubtful++
		return ""
	}
	value, err := strconv.Atoi(r.answer.value)
	if err != nil && r.yes {
		return n.complain(fmt.Sprintf("it is %q", r.answer.value))
	}
	forked := f.meets(r.answer)
	if forked {
		floor = min(floor, n.before)
	}
	if r.kind == increment {
		floor++
		n.count(r, f, forked)
	}
	switch {
	case value < floor:
		return n.complain(fmt.Sprintf("it is %d, after it was %d", value, floor))
	case forked:
		return ""
	case r.kind == increment && n.given[value]:
		return n.complain(fmt.Sprintf("two increments made it %d", value))
	}
	n.floor = max(n.floor, value)
	if r.kind == increment {
		n.given[value] = true
	}
	return ""
}

// count counts an increment that was acknowledged.
func (n *counter) count(r record, f *fork, forked bool) {
	switch side, known := f.sideOf(r.server); {
	case !forked:
		n.kept++
	case known:
		n.sides[side]++
		fallthrough
	default:
		n.forked++
	}
}

// settle enters what was found when no call was under way, and says what is wrong with it.
// lost is how many increments were lost that a fork may lose.
func (n *counter) settle(r record) (lost int, broken string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.last = append(n.last, r)
	value, err := strconv.Atoi(r.answer.value)
	if err != nil && r.yes {
		return 0, n.complain(fmt.Sprintf("it is %q", r.answer.value))
	}
	// Whoever goes on after a fork has what the lesser of both sides acknowledged, at
	// least.
	least, most := n.base+n.kept+min(n.sides[false], n.sides[true]), n.base+n.kept+n.forked
	switch {
	case value < least:
		broken = n.complain(fmt.Sprintf("%d acknowledged increments are lost: it is %d, should be %d", least-value, value, least))
	case value > most+n.doubtful:
		broken = n.complain(fmt.Sprintf("%d increments were done twice: it is %d, should be %d at most", value-most-n.doubtful, value, most+n.doubtful))
	}
	lost = max(0, most-value)
	n.doubtful -= min(n.doubtful, max(0, value-most))
	n.base, n.kept, n.forked = value, 0, 0
	clear(n.sides)
	clear(n.given)
	n.floor = value
	return lost, broken
}

func (n *counter) complain(what string) string {
	text := fmt.Sprintf("counter %s: %s", n.key, what)
	for _, r := range n.last {
		text += fmt.Sprintf("\n      %v", r)
	}
	return text
}
