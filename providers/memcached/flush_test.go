package memcached_test

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/internal/servertest"
)

// TestFlushUnderLoad: who empties a server logs everybody out, once.
func TestFlushUnderLoad(t *testing.T) {
	server := servertest.Memcached(t)
	handlers := []http.Handler{sessionsOn(t, httpsession.Options{}, server.Addr), sessionsOn(t, httpsession.Options{}, server.Addr)}
	const visitors = 64
	logins := make([]int, visitors)
	c := openCache(t, connectTo(t, server), "flush")
	var wg sync.WaitGroup
	end := time.Now().Add(3 * time.Second)
	for i := range visitors {
		wg.Go(func() {
			v := visitor{}
			for k := 0; time.Now().Before(end); k++ {
				v.handler = handlers[k%len(handlers)]
				if status, name := v.visit(""); status == http.StatusOK && name == "" {
					if status, _ := v.visit("login"); status == http.StatusOK {
						logins[i]++
					}
				}
			}
		})
	}
	<-time.After(time.Second)
	if err := client(c).FlushAll(); err != nil {
		t.Error(err)
	}
	wg.Wait()
	for _, n := range logins {
		if n != 2 {
			t.Fatalf("visitors have logged in %v times, want twice each", logins)
		}
	}
}
