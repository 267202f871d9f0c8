package sessionapp

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

// The cases of servers, and of what they keep sessions in, that are killed, frozen and started again.

func hasProcesses(f *fleet) bool { return f.killA != nil }
func hasBackend(f *fleet) bool   { return f.backend != nil }
func canFreeze(f *fleet) bool    { return hasBackend(f) && f.backend.pause != nil }

func testKillServer(t *testing.T, f *fleet) {
	a, b, v := f.urls[0], f.urls[1], newVisitor(t)
	v.want(a, "PUT /attr/name", "alice", 204, "")
	v.want(a, "POST /incr/n", "", 200, "1")
	f.killA()
	v.want(b, "GET /attr/name", "", 200, "alice")
	v.want(b, "POST /incr/n", "", 200, "2")
	f.startA()
	v.want(a, "GET /attr/n", "", 200, "2")
}

// inTrouble checks what servers do while the backend does not answer.
func inTrouble(t *testing.T, f *fleet, v *visitor) {
	var wg sync.WaitGroup
	for _, url := range f.urls {
		for _, request := range []string{"GET /attr/name", "PUT /attr/name", "POST /incr/n", "GET /session", "POST /invalidate", "POST /renew"} {
			wg.Go(func() {
				start := time.Now()
				status, answer, header := v.as(url).do(url, request, "x")
				if took := time.Since(start); status != 503 || took > f.backend.patience || header.Get("Set-Cookie") != "" {
					t.Errorf("%s: %d %.200q after %v, want 503 within %v", request, status, answer, took, f.backend.patience)
				}
			})
		}
		for range 5 {
			for _, request := range []string{"GET /healthz", "GET /untouched"} {
				start := time.Now()
				if status, _, _ := v.as(url).do(url, request, ""); status != 200 || time.Since(start) > time.Second {
					t.Errorf("%s: %d after %v, want 200 at once", request, status, time.Since(start))
				}
			}
		}
	}
	wg.Wait()
}

func testFrozen(t *testing.T, f *fleet) {
	v := newVisitor(t)
	v.want(f.urls[0], "PUT /attr/name", "alice", 204, "")
	f.backend.pause()
	inTrouble(t, f, v)
	f.backend.resume()
	other := newVisitor(t)
	for _, url := range f.urls {
		other.eventually(f.backend.recovery, url, "PUT /attr/name", "x", 204)
		other.eventually(f.backend.recovery, url, "GET /attr/name", "", 200)
	}
}

func testRestart(t *testing.T, f *fleet) {
	v := newVisitor(t)
	v.want(f.urls[0], "PUT /attr/name", "alice", 204, "")
	f.backend.stop()
	inTrouble(t, f, v)
	f.backend.start()
	for i, url := range f.urls {
		v.eventually(f.backend.recovery, url, fmt.Sprintf("PUT /attr/back%d", i), "x", 204)
	}
	v.want(f.urls[1], "GET /attr/back0", "", 200, "x")
	v.want(f.urls[0], "GET /attr/back1", "", 200, "x")
	if f.backend.keeps {
		v.want(f.urls[0], "GET /attr/name", "", 200, "alice")
	} else {
		v.want(f.urls[0], "GET /attr/name", "", 404, "*")
	}
}
