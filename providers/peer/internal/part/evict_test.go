package part_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A full is a few partitions of members whose memory is full and may be evicted.
type full struct {
	t       *testing.T
	labs    []*lab
	budgets map[topology.ID]*part.Budget
	large   int64 // what is on the way to a replica cannot be refused
}

// newFull returns so many partitions. Each is on two of the members 1 to n in turn.
func newFull(t *testing.T, partitions, n int, max int64) *full {
	f := &full{t: t, budgets: map[topology.ID]*part.Budget{}}
	for id := range topology.ID(n) {
		f.budgets[id+1] = &part.Budget{Max: max}
	}
	options := func(id topology.ID) part.Options {
		return part.Options{Memory: f.budgets[id], Evicts: func(string) bool { return true }}
	}
	for i := range partitions {
		primary, backup := topology.ID(i%n+1), topology.ID((i+1)%n+1)
		l := newLabOf(t, primary, options(primary))
		for id := range f.budgets {
			if id != primary {
				l.add(id, options(id))
			}
		}
		if backup != primary {
			l.teach(backup)
		}
		l.synced = 0
		f.labs = append(f.labs, l)
	}
	return f
}

// primary returns the primary of a partition.
func (f *full) primary(l *lab) topology.ID { return l.config.Partitions[0].Primary }

// put puts a record, with as many ticks as that needs, and checks the memory.
func (f *full) put(cache string, i, size int) part.Status {
	l := f.labs[i%len(f.labs)]
	tag := l.begin(f.primary(l), part.Request{Kind: part.Put, Cache: cache, Key: fmt.Sprint("key", i), Record: make([]byte, size)})
	for range 100 {
		l.deliver()
		if res, ok := l.replies[tag]; ok {
			f.check()
			return res.Status
		}
		f.tick()
	}
	f.t.Fatalf("%s/%d is not answered", cache, i)
	return 0
}

func (f *full) tick() {
	for _, l := range f.labs {
		l.deliver()
		l.tick(50 * time.Millisecond)
		l.deliver()
		f.check()
	}
}

// check checks that no member uses more than it may.
func (f *full) check() {
	f.t.Helper()
	for id, b := range f.budgets {
		if b.Used() > b.Max+f.large {
			f.t.Fatalf("member %d uses %d bytes of %d", id, b.Used(), b.Max)
		}
	}
}

// A cache that has filled the grid leaves room for the others, wherever their records go.
func TestEvictionIsOverAllCaches(t *testing.T) {
	for _, members := range []int{1, 2, 3} {
		f := newFull(t, 30, members, 1<<20)
		for i := range 2500 {
			if status := f.put("a", i, 500); status != part.OK {
				t.Fatalf("%d members: put %d to a: status %d", members, i, status)
			}
		}
		refused := 0
		for i := range 661 {
			if f.put("b", i, 500) != part.OK {
				refused++
			}
		}
		if refused > 0 {
			t.Errorf("%d members: %d of 661 puts to b are refused", members, refused)
		}
		f.large = 100 << 10
		for i := range 30 { // more than its partition has
			if status := f.put("c", i, 100<<10); status != part.OK {
				t.Errorf("%d members: a large put: status %d", members, status)
			}
		}
		if status := f.put("c", 1, 2<<20); status != part.NoSpace {
			t.Errorf("%d members: a put larger than the memory: status %d", members, status)
		}
	}
}

// The bound holds while those who are left make copies again of what a member had that
// failed, and they come to an end.
func TestBoundHoldsWhileCopiesAreMade(t *testing.T) {
	f := newFull(t, 30, 3, 1<<20)
	for i := range 4000 {
		f.put("a", i, 500)
	}
	missing := 0
	for _, l := range f.labs {
		delete(l.replicas, 3)
		l.change(func(p *topology.Partition) {
			if !p.Holds(3) {
				return
			}
			missing++
			p.Primary = 1
			if p.InSync[0] == 2 || p.InSync[len(p.InSync)-1] == 2 {
				p.Primary = 2
			}
			p.InSync, p.Learner = []topology.ID{p.Primary}, 3-p.Primary
		})
	}
	taught := 0
	for range 2000 {
		f.tick()
		for _, l := range f.labs {
			if p := l.config.Partitions[0]; p.Learner != 0 && l.synced == p.Learner {
				taught++
				l.change(func(p *topology.Partition) { p.InSync, p.Learner = append(p.InSync, p.Learner), 0 })
			}
		}
	}
	if taught != missing || missing == 0 {
		t.Fatalf("%d of %d partitions have a copy again", taught, missing)
	}
	for id, b := range f.budgets {
		if id != 3 && b.Used() < b.Max*8/10 {
			t.Errorf("member %d has evicted too much: it uses %d bytes of %d", id, b.Used(), b.Max)
		}
	}
}
