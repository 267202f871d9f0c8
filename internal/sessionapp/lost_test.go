package sessionapp

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
)

const visitors = 100

// lossFleet is two servers on two memcached, of which one goes away, and visitors whose
// sessions are spread over them.
func lossFleet(t *testing.T, sessions string, away func(*servers.Process)) (f *fleet, known []*visitor) {
	t.Helper()
	a, b := servertest.Memcached(t), servertest.Memcached(t)
	f = processFleet(t, "memcached", fmt.Sprintf("servers: [%q, %q]%s", a.Addr, b.Addr, sessions))
	for range visitors {
		v := newVisitor(t)
		v.want(f.urls[0], "PUT /attr/name", "alice", 204, "")
		known = append(known, v)
	}
	away(b)
	return f, known
}

// TestAServerDownHurtsNoNewVisitor: a fresh id is drawn where it can be stored, from the first
// visitor on, whether the server is dead or only silent.
func TestAServerDownHurtsNoNewVisitor(t *testing.T) {
	for name, away := range map[string]func(*servers.Process){
		"killed": (*servers.Process).Kill,
		"frozen": func(p *servers.Process) { must(t, p.Pause()) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f, known := lossFleet(t, "", away)
			failed := 0
			for range visitors {
				v := newVisitor(t)
				if status, _, _ := v.do(f.urls[0], "PUT /attr/name", "bob"); status != 204 {
					failed++
					continue
				}
				v.want(f.urls[0], "GET /attr/name", "", 200, "bob")
				v.want(f.urls[0], "POST /renew", "", 204, "*") // its new id is fresh, too
				v.want(f.urls[0], "GET /attr/name", "", 200, "bob")
			}
			if failed > 0 {
				t.Errorf("%d of %d new visitors were turned away", failed, visitors)
			}
			// Who was on the server may find everything when it is back.
			kept, waiting := count(f.urls[0], known)
			if kept == 0 || waiting == 0 || kept+waiting != visitors {
				t.Errorf("of %d known visitors %d were served and %d told to wait", visitors, kept, waiting)
			}
		})
	}
}

// count returns how many visitors, all at once, still have what they stored, and how many are
// told that the store cannot be reached.
func count(url string, all []*visitor) (kept, waiting int64) {
	var work sync.WaitGroup
	var served, told atomic.Int64
	for _, v := range all {
		work.Go(func() {
			switch status, answer, _ := v.do(url, "GET /attr/name", ""); {
			case status == 200 && answer == "alice":
				served.Add(1)
			case status == 503:
				told.Add(1)
			}
		})
	}
	work.Wait()
	return served.Load(), told.Load()
}

// TestWhenLostNewSession: if the operator says so, a visitor whose session was on the server
// begins anew.
func TestWhenLostNewSession(t *testing.T) {
	f, known := lossFleet(t, "\nhttpSession:\n  whenLost: newSession", (*servers.Process).Kill)
	lost := 0
	for i, v := range known {
		switch status, answer, _ := v.do(f.urls[0], "GET /attr/name", ""); {
		case status == 200 && answer == "alice":
		case status == 404:
			lost++
			v.want(f.urls[0], "PUT /attr/name", "again", 204, "")
			v.want(f.urls[1], "GET /attr/name", "", 200, "again")
		default:
			t.Fatalf("visitor %d: %d %s", i, status, strings.TrimSpace(answer))
		}
	}
	if lost == 0 || lost == visitors {
		t.Errorf("%d of %d visitors began anew", lost, visitors)
	}
}
