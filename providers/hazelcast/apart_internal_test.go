package hazelcast

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hazelcast/hazelcast-go-client/cluster"
	"github.com/hazelcast/hazelcast-go-client/types"

	"github.com/keepsake-cache/keepsake/internal/logtest"
)

// TestMembersThatComeBack has a client be told of members that come, go and come back, and looks when calls are held up.
func TestMembersThatComeBack(t *testing.T) {
	for name, test := range map[string]struct {
		// steps are words: "+a" and "-a" for a member that joins and one that is gone, "new" for another list of
		// members after a reconnect, a duration to let pass, "held" and "free" for what calls must be then.
		steps string
		said  string // in the log; empty: nothing of members that are apart
	}{
		"killed and started again":      {"+a +b -a 20s +c free 1m free", ""},
		"frozen, and joins the others":  {"+a +b -a 20s +c free", ""},
		"the others join the frozen":    {"+a +b -a 20s new +a held 5s held +c held 9s held 2s free", "they have merged"},
		"it does not notice at once":    {"+a +b -a 20s new +a +b held 1s -b held 10s held +c 11s free", "they have merged"},
		"the client tells of it late":   {"+a +b -a 20s +a +c -b held 11s free", "they have merged"},
		"and more join":                 {"+a +b -a new +a +c 9s held +d 9s held 2s free", "they have merged"},
		"nobody joins":                  {"+a +b -a 20s new +a 29s held 2s free", "do not join it"},
		"the client finds the others":   {"+a +b -a 20s new +a held new +b 1s free", ""},
		"it joins with its own name":    {"+a +b -a 1m +a held 11s free new +a +b free", "they have merged"},
		"alone all the time":            {"+a new +a free", ""},
		"the last one of all":           {"+a -a +a free", ""},
		"twice":                         {"+a +b -a new +a +c 11s free -a new +a held +d 11s free", "they have merged"},
		"back while it is waited for":   {"+a +b +c -a -b new +a held 3s +b held 1s +d +e 11s free", "they have merged"},
		"the frozen is of the majority": {"+a +b +c -a 20s +d free", ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log logtest.Log
				p := &Provider{log: slog.New(slog.NewTextHandler(&log, nil)), apart: link{why: errApart}}
				p.members = members{changed: make(signal, 1), returned: make(signal, 1), apart: &p.apart}
				p.members.tell(slog.New(slog.DiscardHandler))
				p.life, p.end = context.WithCancel(t.Context())
				p.tasks.Go(p.awaitMerges)
				for i, step := range strings.Fields(test.steps) {
					switch name := strings.TrimLeft(step, "+-"); {
					case step == "new":
						p.members.clear()
					case step[0] == '+':
						p.members.heard(cluster.MembershipStateChanged{State: cluster.MembershipStateAdded, Member: memberNamed(name)})
					case step[0] == '-':
						p.members.heard(cluster.MembershipStateChanged{State: cluster.MembershipStateRemoved, Member: memberNamed(name)})
					case step == "held", step == "free":
						at := step == "held" && !p.apart.isDown() // from the moment that it is told
						if time.Sleep(2 * mergeLook); at || p.apart.isDown() != (step == "held") {
							t.Errorf("%s: step %d: calls are not %s", test.steps, i+1, step)
						}
					default:
						d, err := time.ParseDuration(step)
						if err != nil {
							t.Fatal(err)
						}
						time.Sleep(d)
					}
				}
				if said := log.String(); !strings.Contains(said, test.said) || (said == "") != (test.said == "") {
					t.Errorf("it says %q, want %q", said, test.said)
				}
				p.end()
				p.tasks.Wait()
			})
		})
	}
}

func memberNamed(name string) cluster.MemberInfo {
	return cluster.MemberInfo{UUID: types.NewUUIDWith(1, uint64(name[0])), Address: cluster.Address(name + ":5701")}
}

// TestAcceptedAreThoseThatWereSeen: a member that is back a moment before the others are accepted is waited for.
func TestAcceptedAreThoseThatWereSeen(t *testing.T) {
	m := members{changed: make(signal, 1), returned: make(signal, 1), apart: &link{}}
	tell := func(state cluster.MembershipState, name string) {
		m.heard(cluster.MembershipStateChanged{State: state, Member: memberNamed(name)})
	}
	tell(cluster.MembershipStateAdded, "a")
	tell(cluster.MembershipStateAdded, "b")
	tell(cluster.MembershipStateRemoved, "a")
	_, _, changes := m.returners()
	if tell(cluster.MembershipStateAdded, "a"); m.accept(changes) {
		t.Error("who is back was accepted unseen")
	}
	apart, _, changes := m.returners()
	if !apart || !m.accept(changes) {
		t.Errorf("apart %v, and then not accepted", apart)
	}
	if apart, _, _ := m.returners(); apart {
		t.Error("who was accepted is waited for")
	}
}

// TestExpelledMembersAreTriedLast: another client looks for the others first.
func TestExpelledMembersAreTriedLast(t *testing.T) {
	m := members{changed: make(signal, 1), returned: make(signal, 1), apart: &link{}}
	for _, name := range []string{"a", "b", "c"} {
		m.heard(cluster.MembershipStateChanged{State: cluster.MembershipStateAdded, Member: memberNamed(name)})
	}
	m.heard(cluster.MembershipStateChanged{State: cluster.MembershipStateRemoved, Member: memberNamed("a")})
	want := []string{"b:5701", "c:5701", "a:5701"}
	if got := m.expelledLast([]string{"a:5701", "b:5701", "c:5701"}); !slices.Equal(got, want) {
		t.Error(got)
	}
}

// TestCallsUnderWayWhenAMemberIsBack: their answers may be those of a member that was expelled.
func TestCallsUnderWayWhenAMemberIsBack(t *testing.T) {
	p := &Provider{plan: plan{requestTimeout: 50 * time.Millisecond}, apart: link{why: errApart}}
	back := func(context.Context) error { p.apart.down(); return nil }
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, call := range map[string]func() error{
		"read":  func() error { return p.read(ctx, back) },
		"write": func() error { return p.write(ctx, back) },
		"swap":  func() error { return p.writeChecked(ctx, back) },
	} {
		p.apart.up()
		if got := fmt.Sprint(call()); !strings.Contains(got, errApart.Error()) || (name == "read") != strings.Contains(got, "unavailable") || (name == "read") == strings.Contains(got, "unknown") {
			t.Errorf("%s: %s", name, got)
		}
	}
}
