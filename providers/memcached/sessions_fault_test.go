package memcached_test

import (
	"log/slog"
	"math/rand/v2"
	"net/http"
	"os"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/providers/memcached"
)

// TestFaultSessions: visitors count up in their sessions and log out, on two web servers and
// three memcacheds that freeze, and that are killed and started again, at random. What was
// acknowledged is kept, unless a server was killed since; and who has logged out stays out.
//
// It is short. With KEEPSAKE_FAULTS=1, as make faults sets it, it is long.
func TestFaultSessions(t *testing.T) {
	length, visitors := 4*time.Second, 8
	if os.Getenv("KEEPSAKE_FAULTS") != "" {
		length, visitors = time.Minute, 32
	}
	for _, kills := range []bool{false, true} {
		t.Run(map[bool]string{false: "freezes", true: "freezes and kills"}[kills], func(t *testing.T) {
			f := &faultySite{kills: kills}
			for range 3 {
				f.servers = append(f.servers, servertest.Memcached(t))
			}
			for range 2 {
				f.handlers = append(f.handlers, sessionsWith(t, httpsession.Options{}, memcached.Options{
					Servers: addrs(f.servers...), RequestTimeout: 300 * time.Millisecond, ConnectTimeout: 20 * time.Second,
					Logger: slog.New(slog.DiscardHandler)}))
			}
			end := time.Now().Add(length)
			var wg sync.WaitGroup
			for range visitors {
				wg.Go(func() { f.visit(t, end) })
			}
			f.hurt(t, end)
			wg.Wait()
			alive := 0
			for _, cookie := range f.dead {
				v := visitor{handler: f.handlers[0], cookie: cookie}
				if status, body := v.visit("peek"); status != http.StatusOK || body != "false" {
					alive++
				}
			}
			if lost := f.lost.Load(); lost > 0 || alive > 0 {
				t.Errorf("%d of %d acknowledged changes were lost, %d of %d sessions are alive after their end", lost, f.acknowledged.Load(), alive, len(f.dead))
			}
			t.Logf("%d faults; %d acknowledged changes, of which %d went with a server that was killed; %d refused; %d ends",
				f.faults, f.acknowledged.Load(), f.killed.Load(), f.refused.Load(), len(f.dead))
		})
	}
}

// A faultySite is web servers, memcacheds that are hurt, and what became of their visitors.
type faultySite struct {
	kills    bool
	servers  []*servers.Process
	handlers []http.Handler
	faults   int

	epoch                               atomic.Int64 // how many kills there were
	acknowledged, refused, killed, lost atomic.Int64
	mu                                  sync.Mutex
	dead                                []string // cookies after an acknowledged end
}

// hurt hurts one server after the other.
func (f *faultySite) hurt(t *testing.T, end time.Time) {
	for time.Now().Before(end) {
		f.faults++
		i := rand.IntN(len(f.servers))
		if f.kills && rand.IntN(3) == 0 {
			f.epoch.Add(1)
			f.servers[i].Kill()
			f.epoch.Add(1)
			f.servers[i] = restart(t, f.servers[i].Addr)
		} else {
			freeze(t, f.servers[i])
			<-time.After(time.Duration(rand.IntN(800)) * time.Millisecond)
			thaw(t, f.servers[i])
		}
		<-time.After(time.Duration(rand.IntN(300)) * time.Millisecond)
	}
}

// visit is one visitor. Between two acknowledged counts at most those are missing that were
// refused, of which each may have been stored.
func (f *faultySite) visit(t *testing.T, end time.Time) {
	v := visitor{}
	last, unknown, epoch := 0, 0, f.epoch.Load()
	for time.Now().Before(end) {
		v.handler = f.handlers[rand.IntN(len(f.handlers))]
		if last > 0 && rand.IntN(20) == 0 {
			cookie := v.cookie
			if status, _ := v.visit("logout"); status != http.StatusOK {
				f.refused.Add(1)
				v.cookie = "" // it may have been ended
			} else {
				f.mu.Lock()
				f.dead = append(f.dead, cookie)
				f.mu.Unlock()
			}
			last, unknown, v.cookie = 0, 0, ""
			continue
		}
		before := f.epoch.Load()
		status, body := v.visit("count")
		if status != http.StatusOK {
			f.refused.Add(1)
			unknown++
			continue
		}
		n, err := strconv.Atoi(body)
		switch {
		case err == nil && n > last && n <= last+1+unknown:
		case f.epoch.Load() != epoch:
			f.killed.Add(int64(last))
		default:
			f.lost.Add(1)
			t.Errorf("a count of %d follows one of %d, with %d of unknown outcome: %v", n, last, unknown, err)
		}
		f.acknowledged.Add(1)
		last, unknown, epoch = n, 0, before
	}
}
