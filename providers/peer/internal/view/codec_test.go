package view_test

import (
	"bytes"
	"reflect"
	"testing"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/view"
)

var stamps = rapid.Custom(func(t *rapid.T) topology.Stamp {
	return topology.Stamp{Term: rapid.Uint64Range(1, 1<<40).Draw(t, "term"), Version: rapid.Uint64Range(1, 1<<20).Draw(t, "version")}
})

var ids = rapid.Custom(func(t *rapid.T) topology.ID { return topology.ID(rapid.Uint64Min(1).Draw(t, "id")) })

var marks = rapid.Custom(func(t *rapid.T) view.Mark {
	return view.Mark{Lineage: rapid.Uint64().Draw(t, "lineage"), Stamp: stamps.Draw(t, "stamp")}
})

var findings = rapid.Custom(func(t *rapid.T) view.Finding {
	return view.Finding{Partition: rapid.IntRange(0, 270).Draw(t, "partition"), Epoch: stamps.Draw(t, "epoch"), Member: ids.Draw(t, "member")}
})

var forks = rapid.Custom(func(t *rapid.T) topology.Fork {
	m := marks.Draw(t, "mark")
	return topology.Fork{Lineage: m.Lineage, Stamp: m.Stamp, Clock: rapid.Uint64().Draw(t, "clock"), Shared: rapid.Bool().Draw(t, "shared")}
})

// list draws a list that is nil if it is empty, as decoded ones are.
func list[T any](t *rapid.T, g *rapid.Generator[T], name string) []T {
	l := rapid.SliceOfN(g, 0, 5).Draw(t, name)
	if len(l) == 0 {
		return nil
	}
	return l
}

var configs = rapid.Custom(func(t *rapid.T) *topology.Config {
	c := &topology.Config{Lineage: rapid.Uint64Min(1).Draw(t, "lineage"), Stamp: stamps.Draw(t, "stamp"),
		Merging: rapid.Uint64().Draw(t, "merging"), Ancestors: list(t, forks, "ancestors"), Voters: list(t, ids, "voters")}
	for _, id := range rapid.SliceOfNDistinct(ids, 1, 6, rapid.ID[topology.ID]).Draw(t, "members") {
		c.Members = append(c.Members, topology.Member{ID: id, Addr: rapid.String().Draw(t, "addr"),
			Zone: rapid.String().Draw(t, "zone"), Leaving: rapid.Bool().Draw(t, "leaving"), Reborn: rapid.Bool().Draw(t, "reborn")})
	}
	for _, id := range list(t, ids, "absent") {
		c.Absent = append(c.Absent, topology.Member{ID: id, Addr: rapid.String().Draw(t, "absent addr")})
	}
	member := func(name string) topology.ID {
		return c.Members[rapid.IntRange(0, len(c.Members)-1).Draw(t, name)].ID
	}
	epochs := rapid.SliceOfN(stamps, 1, 4).Draw(t, "epochs")
	for range rapid.IntRange(1, 20).Draw(t, "partitions") {
		p := topology.Partition{Epoch: rapid.SampledFrom(epochs).Draw(t, "epoch"), Reign: rapid.SampledFrom(epochs).Draw(t, "reign"),
			Primary: member("primary")}
		p.InSync = []topology.ID{p.Primary}
		if rapid.Bool().Draw(t, "two") {
			p.InSync = append(p.InSync, member("backup"))
		}
		if rapid.Bool().Draw(t, "learns") {
			p.Learner, p.Lost = member("learner"), stamps.Draw(t, "lost")
		}
		p.Held = list(t, ids, "held")
		c.Partitions = append(c.Partitions, p)
	}
	return c
})

var messages = rapid.Custom(func(t *rapid.T) view.Message {
	mark, other := marks.Draw(t, "mark"), marks.Draw(t, "other")
	n, i, b := rapid.Uint64().Draw(t, "n"), rapid.Int64().Draw(t, "i"), rapid.Bool().Draw(t, "b")
	switch rapid.IntRange(0, 10).Draw(t, "type") {
	case 0:
		return &view.Heartbeat{Mark: mark, Promised: n, Winner: other, Sent: i, Lease: i}
	case 1:
		return &view.HeartbeatAck{Mark: mark, Promised: n, Winner: other, Sent: i, Lease: i}
	case 2:
		return &view.Publish{Config: configs.Draw(t, "config"), Winner: b}
	case 3:
		return &view.Probe{Mark: mark, Known: other}
	case 4:
		return &view.Here{Mark: mark}
	case 5:
		return &view.Join{Invited: n, Member: topology.Member{ID: ids.Draw(t, "id"), Addr: rapid.String().Draw(t, "addr"), Leaving: b}}
	case 6:
		return &view.Leave{ID: ids.Draw(t, "id")}
	case 7:
		return &view.Claim{Term: n, Mark: mark, Ancestors: list(t, forks, "ancestors"), Without: list(t, ids, "without")}
	case 8:
		a := &view.ClaimAnswer{Term: n, OK: b, Promised: n, Mark: mark, Left: i}
		if b {
			a.Config = configs.Draw(t, "config")
		}
		return a
	case 9:
		return &view.Report{Mark: mark, Synced: list(t, findings, "synced"), Silent: list(t, findings, "silent"), Merged: list(t, findings, "merged"),
			Restored: list(t, findings, "restored")}
	}
	return &view.Disband{Mark: mark}
})

func TestCodecRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := messages.Draw(t, "message")
		b := view.Append(nil, want)
		got, err := view.Parse(b)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("%+v became %+v, %v", want, got, err)
		}
		// Fields that a later version adds are skipped.
		if got, err = view.Parse(append(b, 1, 2, 3)); err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("with more at the end %+v became %+v, %v", want, got, err)
		}
		for n := range b {
			if got, err := view.Parse(b[:n]); err == nil && reflect.DeepEqual(got, want) {
				t.Fatalf("%d bytes of %d are enough for %+v", n, len(b), want)
			}
		}
	})
}

// grown returns a configuration as one of a large cluster is.
func grown(members, partitions int) *topology.Config {
	c := &topology.Config{Lineage: 1 << 60, Stamp: topology.Stamp{Term: 5<<24 | 77, Version: 1000}}
	for i := range members {
		c.Members = append(c.Members, topology.Member{ID: topology.ID(uint64(i+1) * 0x9e3779b97f4a7c15), Addr: "10.20.30.40:5701", Zone: "room-a"})
	}
	for _, ids := range topology.Target(c.Members, partitions, 2) {
		epoch := topology.Stamp{Term: 5<<24 | 77, Version: uint64(len(c.Partitions)/4 + 1)}
		c.Partitions = append(c.Partitions, topology.Partition{Epoch: epoch, Reign: epoch, Primary: ids[0], InSync: ids})
	}
	return c
}

func TestConfigIsSmall(t *testing.T) {
	c := grown(10, 271)
	if n := len(view.Append(nil, &view.Publish{Config: c})); n > 4<<10 {
		t.Errorf("the configuration of 10 members takes %d bytes", n)
	}
	c.Partitions[77].Epoch = c.Stamp
	base := topology.Stamp{Term: c.Stamp.Term, Version: c.Stamp.Version - 1}
	if n := len(view.Append(nil, &view.Publish{Base: base, Config: c})); n > 512 {
		t.Errorf("a change of one partition takes %d bytes", n)
	}
}

func FuzzParse(f *testing.F) {
	f.Add(view.Append(nil, &view.Publish{Config: grown(3, 17)}))
	f.Add(view.Append(nil, &view.Publish{Base: topology.Stamp{Term: 5<<24 | 77, Version: 3}, Config: grown(3, 17)}))
	f.Add(view.Append(nil, &view.Report{Synced: []view.Finding{{Partition: 3, Member: 7}}}))
	f.Add(view.Append(nil, &view.Claim{Term: 9, Without: []topology.ID{1, 2}}))
	f.Add(view.Append(nil, &view.Heartbeat{Sent: -1}))
	f.Fuzz(func(t *testing.T, b []byte) {
		msg, err := view.Parse(b)
		if err != nil {
			return
		}
		again := view.Append(nil, msg)
		back, err := view.Parse(again)
		if err != nil || !bytes.Equal(again, view.Append(nil, back)) {
			t.Fatalf("%+v became %+v, %v", msg, back, err)
		}
	})
}
