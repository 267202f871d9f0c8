package httpsession

import (
	"bytes"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// Lists of attributes do what maps do, and remember what was removed for a while.
func TestListsAreMaps(t *testing.T) {
	names := rapid.StringMatching(`[a-f]{1,2}`)
	rapid.Check(t, func(t *rapid.T) {
		var r record
		model, removed := make(map[string]string), make(map[string]int64)
		now := time.Hour.Microseconds()
		for range rapid.IntRange(1, 30).Draw(t, "commits") {
			now += rapid.Int64Range(1, removedTTL.Microseconds()/4).Draw(t, "pause")
			var changes []change
			for _, name := range rapid.SliceOfNDistinct(names, 0, 5, rapid.ID).Draw(t, "names") {
				c := change{name: name}
				if rapid.Bool().Draw(t, "sets") {
					c.value = []byte(rapid.StringN(0, 300, -1).Draw(t, "value"))
					model[name] = string(c.value)
					delete(removed, name)
				} else if _, ok := model[name]; ok {
					delete(model, name)
					removed[name] = now
				}
				changes = append(changes, c)
			}
			slices.SortFunc(changes, func(a, b change) int { return strings.Compare(a.name, b.name) })
			before := bytes.Clone(r.attributes)
			list := r.apply(changes, now)
			if !bytes.Equal(before, r.attributes) {
				t.Fatal("the old list has changed")
			}
			r.attributes = list
			if !wellFormed(list) {
				t.Fatalf("the list is damaged: %x", list)
			}
			if got := namesOf(r); !slices.Equal(got, slices.Sorted(maps.Keys(model))) {
				t.Fatalf("the names are %q, want those of %q", got, model)
			}
			for name, want := range model {
				if got, ok := r.attribute(name); !ok || string(got) != want {
					t.Fatalf("%s is %q, want %q", name, got, want)
				}
			}
			remembered := removedIn(list)
			for name, when := range removed {
				if when >= now-removedTTL.Microseconds() && remembered[name] != when {
					t.Fatalf("%s, which was removed %d µs ago, is forgotten", name, now-when)
				}
			}
		}
	})
}

// removedIn returns when the attributes were removed that a list remembers.
func removedIn(list []byte) map[string]int64 {
	removed := make(map[string]int64)
	for rest := list; len(rest) > 0; {
		var a attribute
		if a, rest = nextAttribute(rest); a.changed.removed() {
			removed[string(a.name)] = a.changed.time()
		}
	}
	return removed
}

func namesOf(r record) []string { return new(changes).names(&r) }
