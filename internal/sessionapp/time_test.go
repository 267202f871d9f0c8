package sessionapp

import (
	"testing"
	"time"
)

// testWhileTimePasses has the cases that do little but wait, side by side.
func testWhileTimePasses(t *testing.T, f *fleet) {
	for name, run := range map[string]func(*testing.T, *fleet){
		"per-session timeout":     testTimeout,
		"expiry during a request": testExpiryInFlight,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			run(t, f)
		})
	}
}

// wait lets d pass: it is the session's time that is tested.
func wait(t *testing.T, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
	}
}

func testTimeout(t *testing.T, f *fleet) {
	a, b := f.urls[0], f.urls[1]
	kept, left := newVisitor(t), newVisitor(t)
	for _, v := range []*visitor{kept, left} {
		v.want(a, "PUT /attr/name", "alice", 204, "")
		v.want(a, "PUT /timeout?seconds=4", "", 204, "")
	}
	// One is used now and then, on both servers, the other one is not.
	for i := range 4 {
		wait(t, 1500*time.Millisecond)
		kept.want(f.urls[i%2], "GET /attr/name", "", 200, "alice")
		if i == 0 {
			left.want(b, "GET /attr/name", "", 200, "alice")
		}
	}
	left.want(a, "GET /attr/name", "", 404, "*")
	left.want(b, "GET /attr/name", "", 404, "*")
	if d := describeOn(t, left, b, ""); d.Exists {
		t.Errorf("%+v", d)
	}
}

func testExpiryInFlight(t *testing.T, f *fleet) {
	a, b, v := f.urls[0], f.urls[1], newVisitor(t)
	v.want(a, "PUT /attr/name", "alice", 204, "")
	v.want(a, "PUT /timeout?seconds=3", "", 204, "")
	// It expires on B during a request that has read it, and during one that
	// changes it. Both end as they began.
	v.want(b, "GET /attr/name?delay=3500ms", "", 200, "alice")
	v.want(a, "GET /attr/name", "", 404, "*")
	v.want(b, "GET /attr/name", "", 404, "*")
}
