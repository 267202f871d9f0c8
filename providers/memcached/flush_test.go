package memcached_test

import (
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servertest"
)

// TestFlushUnderLoad: who empties a server logs everybody out, once.
func TestFlushUnderLoad(t *testing.T) {
	server := servertest.Memcached(t)
	handlers := []http.Handler{sessionsOn(t, httpsession.Options{}, server.Addr), sessionsOn(t, httpsession.Options{}, server.Addr)}
	var logins [64]atomic.Int64
	all := func(n int64) bool {
		for i := range logins {
			if logins[i].Load() < n {
				return false
			}
		}
		return true
	}
	c := openCache(t, connectTo(t, server), "flush")
	var wg sync.WaitGroup
	var over atomic.Bool
	for i := range logins {
		wg.Go(func() {
			v := visitor{}
			for k := 0; !over.Load(); k++ {
				v.handler = handlers[k%len(handlers)]
				if status, name := v.visit(""); status == http.StatusOK && name == "" {
					if status, _ := v.visit("login"); status == http.StatusOK {
						logins[i].Add(1)
					}
				}
			}
		})
	}
	defer wg.Wait()
	defer over.Store(true)
	eventually(t, "everybody is logged in", func() bool { return all(1) })
	if err := client(c).FlushAll(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "everybody is logged in again", func() bool { return all(2) })
	<-time.After(time.Second) // in which nobody has to
	over.Store(true)
	wg.Wait()
	for i := range logins {
		if n := logins[i].Load(); n != 2 {
			t.Errorf("a visitor has logged in %d times, want twice", n)
		}
	}
}
