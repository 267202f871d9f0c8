package node

import (
	"encoding/binary"
	"fmt"
	"slices"
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// Whatever of a partition's events is missing shows as a gap, to the watchers of all caches,
// since the numbers count the events of all of them.
func TestMissedEventsAreAGap(t *testing.T) {
	first, second := topology.Stamp{Term: 1, Version: 1}, topology.Stamp{Term: 2, Version: 1}
	type message struct {
		reign topology.Stamp
		n     uint64
	}
	for name, test := range map[string]struct {
		messages      []message
		watched, rest []string // what the watchers of the cache, and of another one, are told
	}{
		"nothing is missing":     {[]message{{first, 1}, {first, 2}}, []string{"1", "2"}, nil},
		"one is missing":         {[]message{{first, 1}, {first, 3}}, []string{"1", "gap", "3"}, []string{"gap"}},
		"the first is missing":   {[]message{{first, 2}}, []string{"gap", "2"}, []string{"gap"}},
		"another primary":        {[]message{{first, 1}, {second, 1}}, []string{"1", "gap", "1"}, []string{"gap"}},
		"the primary before it":  {[]message{{second, 1}, {first, 2}}, []string{"gap", "1"}, []string{"gap"}},
		"one that begins anew":   {[]message{{first, 1}, {first, 1}}, []string{"1", "gap", "1"}, []string{"gap"}},
		"another, in the middle": {[]message{{first, 1}, {second, 4}}, []string{"1", "gap", "4"}, []string{"gap"}},
	} {
		t.Run(name, func(t *testing.T) {
			n := &Node{opts: Options{Partitions: 1}}
			n.watchers.init()
			l := &life{n: n}
			l.feeds.init(l)
			l.feeds.parts[0].moved(first, true) // the configuration that is known here
			fd, _ := l.feeds.feed(7)
			session := binary.AppendUvarint(nil, fd.session)
			told := map[string][]string{}
			for _, cache := range []string{"watched", "rest"} {
				n.watchers.change(cache, func(list []*watcher) []*watcher {
					return append(list, &watcher{running: true, on: func(e Event) {
						what := e.Key
						if e.Gap {
							what = "gap"
						}
						told[cache] = append(told[cache], what)
					}})
				})
			}
			for _, m := range test.messages {
				e := part.Event{Cache: "watched", Key: fmt.Sprint(m.n)}
				l.takeEvents(&wire.Hello{ID: 7}, appendEvent(session, 0, m.reign, m.n, &e), wire.Responder{})
			}
			if !slices.Equal(told["watched"], test.watched) || !slices.Equal(told["rest"], test.rest) {
				t.Errorf("the watchers are told %v and %v, want %v and %v", told["watched"], told["rest"], test.watched, test.rest)
			}
		})
	}
}
