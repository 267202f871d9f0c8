package part

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// What done remembers are the latest operations, as a list and a map would.
func TestDoneRemembersTheLatest(t *testing.T) {
	var d done
	random := rand.New(rand.NewPCG(1, 2))
	var order []OpID
	versions := make(map[OpID]Version)
	for i := range 5 * doneMax {
		op := OpID{Client: random.Uint64N(3), Seq: random.Uint64N(4 * doneMax)} // some come again
		if _, again := versions[op]; !again && op != (OpID{}) {
			order = append(order, op)
		}
		if op != (OpID{}) {
			versions[op] = Version(i)
		}
		if len(order) > doneMax {
			delete(versions, order[0])
			order = order[1:]
		}
		d.note(op, Version(i))
		probe := OpID{Client: random.Uint64N(3), Seq: random.Uint64N(4 * doneMax)}
		want, known := versions[probe]
		if got, ok := d.find(probe); ok != known || got != want {
			t.Fatalf("after %d operations: found %v, %v of %v; want %v, %v", i+1, got, ok, probe, want, known)
		}
	}
	list := d.list()
	if got := len(list); got != doneMax {
		t.Fatalf("%d are listed", got)
	}
	if !slices.EqualFunc(list, order, func(have Done, op OpID) bool { return have.Op == op && have.Version == versions[op] }) {
		t.Error("the list is not the latest ones in order")
	}
}
