package sessionapp

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// acceptance is what two servers that share sessions must do, on any provider. The
// cases run one after the other on one fleet.
var acceptance = []struct {
	name  string
	needs func(*fleet) bool // nil: any fleet
	run   func(t *testing.T, f *fleet)
}{
	{"set on A is read on B", nil, testShared},
	{"description", nil, testDescription},
	{"overlapping requests keep all attributes", nil, testOverlap},
	{"parallel increments are all counted", nil, testIncrements},
	{"invalidated on A is gone on B", nil, testInvalidate},
	{"while time passes", nil, testWhileTimePasses},
	{"renewed on A is dead on B", nil, testRenew},
	{"a read after the answer is never stale", nil, testNeverStale},
	{"unknown cookies", nil, testUnknownCookies},
	{"untouched", nil, testUntouched},
	{"large attribute", nil, testLargeAttribute},
	{"kill A and B serves", hasProcesses, testKillServer},
	{"provider frozen", canFreeze, testFrozen},
	{"provider gone and back", hasBackend, testRestart},
}

func TestAcceptance(t *testing.T) {
	for _, provider := range []struct {
		name  string
		fleet func(*testing.T) *fleet
	}{
		{"hazelcast", hazelcastFleet}, // takes longest
		{"memory", memoryFleet},
		{"memcached", memcachedFleet},
		{"redis", redisFleet},
		{"peer", peerFleet},
		{"postgresql", postgresFleet},
		{"mariadb", mariadbFleet},
		{"sqlite", sqliteFleet},
	} {
		t.Run(provider.name, func(t *testing.T) {
			if provider.name != "sqlite" { // it is built, before the others begin, with all processors
				t.Parallel() // most of the time sessions and servers are waited for
			}
			f := provider.fleet(t)
			for _, c := range acceptance {
				if c.needs != nil && !c.needs(f) {
					t.Logf("%s has no process for it: %q is not a case", provider.name, c.name)
					continue
				}
				t.Run(c.name, func(t *testing.T) { c.run(t, f) })
			}
		})
	}
}

func testShared(t *testing.T, f *fleet) {
	a, b := f.urls[0], f.urls[1]
	v, other := newVisitor(t), newVisitor(t)
	v.want(a, "PUT /attr/name", "alice", 204, "")
	v.want(b, "GET /attr/name", "", 200, "alice")
	v.want(b, "PUT /attr/name", "bob", 204, "")
	v.want(a, "GET /attr/name", "", 200, "bob")
	v.want(a, "PUT /attr/empty", "", 204, "")
	v.want(b, "GET /attr/empty", "", 200, "")
	v.want(b, "DELETE /attr/name", "", 204, "")
	v.want(a, "GET /attr/name", "", 404, "*")
	other.want(b, "GET /attr/empty", "", 404, "*")
	v.want(a, "GET /healthz", "", 200, "*")
}

func describeOn(t *testing.T, v *visitor, url, query string) description {
	t.Helper()
	status, answer, _ := v.do(url, "GET /session"+query, "")
	var d description
	if err := json.Unmarshal([]byte(answer), &d); status != 200 || err != nil {
		t.Fatalf("%d %q: %v", status, answer, err)
	}
	slices.Sort(d.Attributes)
	return d
}

func testDescription(t *testing.T, f *fleet) {
	a, b, v := f.urls[0], f.urls[1], newVisitor(t)
	if d := describeOn(t, v, a, ""); d.Exists || d.New || d.Server != "A" || d.Created != nil || len(d.Attributes) != 0 {
		t.Errorf("before: %+v", d)
	}
	start := time.Now()
	if d := describeOn(t, v, a, "?create=true"); !d.Exists || !d.New || d.MaxInactiveSeconds != 1800 || d.Created.Sub(start).Abs() > 5*time.Second {
		t.Errorf("created: %+v", d)
	}
	v.want(a, "PUT /attr/x", "1", 204, "")
	v.want(b, "PUT /attr/y", "2", 204, "")
	v.want(b, "PUT /timeout?seconds=600", "", 204, "")
	d := describeOn(t, v, b, "")
	if !d.Exists || d.New || d.Server != "B" || d.MaxInactiveSeconds != 600 || !slices.Equal(d.Attributes, []string{"x", "y"}) {
		t.Errorf("on B: %+v", d)
	}
	if d.LastAccessed.Before(*d.Created) || d.LastAccessed.Sub(start) > 10*time.Second {
		t.Errorf("times: %+v", d)
	}
}

func testOverlap(t *testing.T, f *fleet) {
	v := newVisitor(t)
	v.want(f.urls[0], "PUT /attr/first", "kept", 204, "")
	for round := range 3 {
		var wg sync.WaitGroup
		for i := range 20 {
			wg.Go(func() {
				v.want(f.urls[i%2], fmt.Sprintf("PUT /attr/r%da%d?delay=100ms", round, i), fmt.Sprint(i), 204, "")
			})
		}
		wg.Wait()
	}
	for round := range 3 {
		for i := range 20 {
			v.want(f.urls[(i+1)%2], fmt.Sprintf("GET /attr/r%da%d", round, i), "", 200, fmt.Sprint(i))
		}
	}
	v.want(f.urls[1], "GET /attr/first", "", 200, "kept")
}

func testIncrements(t *testing.T, f *fleet) {
	v := newVisitor(t)
	v.want(f.urls[0], "POST /incr/n", "", 200, "1")
	var wg sync.WaitGroup
	for i := range 20 {
		wg.Go(func() {
			for range 10 {
				v.want(f.urls[i%2], "POST /incr/n", "", 200, "*")
			}
		})
	}
	wg.Wait()
	v.want(f.urls[0], "GET /attr/n", "", 200, "201")
	v.want(f.urls[1], "GET /attr/n", "", 200, "201")
}

func testInvalidate(t *testing.T, f *fleet) {
	a, b := f.urls[0], f.urls[1]
	for i, slow := range []string{"GET /attr/name", "PUT /attr/late", "DELETE /attr/name", "GET /session", "PUT /timeout?seconds=900", "POST /renew", "GET /untouched"} {
		v := newVisitor(t)
		v.want(a, "PUT /attr/name", "alice", 204, "")
		old := v.as(a)
		var wg sync.WaitGroup
		join := "?"
		if strings.Contains(slow, "?") {
			join = "&"
		}
		wg.Go(func() {
			// An older request, on B, that ends after the session did.
			if _, _, header := old.as(b).do(b, fmt.Sprint(slow, join, "held=older", i), "x"); header.Get("Set-Cookie") != "" {
				t.Errorf("%s resets the cookie of a session that ended", slow)
			}
		})
		old.want(b, fmt.Sprint("GET /held/older", i), "", 200, "") // it is in its handler
		v.want(a, "POST /invalidate", "", 204, "")
		old.want(b, "GET /attr/name", "", 404, "*")
		old.want(b, fmt.Sprint("POST /held/older", i), "", 200, "")
		wg.Wait()
		for _, url := range f.urls {
			old.want(url, "GET /attr/name", "", 404, "*")
			if d := describeOn(t, old, url, ""); d.Exists {
				t.Errorf("after %s the session is back: %+v", slow, d)
			}
		}
	}
}

func testRenew(t *testing.T, f *fleet) {
	a, b := f.urls[0], f.urls[1]
	v := newVisitor(t)
	for i := range 5 {
		v.want(a, fmt.Sprintf("PUT /attr/a%d", i), fmt.Sprint(i), 204, "")
	}
	old := v.as(a)
	created := describeOn(t, v, a, "").Created
	v.want(a, "POST /renew", "", 204, "")
	for _, url := range f.urls {
		old.want(url, "GET /attr/a0", "", 404, "*")
		for i := range 5 {
			v.want(url, fmt.Sprintf("GET /attr/a%d", i), "", 200, fmt.Sprint(i))
		}
		if d := describeOn(t, v, url, ""); !d.Created.Equal(*created) {
			t.Errorf("created %v, was %v", d.Created, created)
		}
	}
	v.want(b, "PUT /attr/a0", "new", 204, "")
	v.want(a, "GET /attr/a0", "", 200, "new")
}

func testNeverStale(t *testing.T, f *fleet) {
	tries := 2000
	if testing.Short() {
		tries = 200
	}
	v := newVisitor(t)
	stale := 0
	for i := range tries {
		v.want(f.urls[0], "PUT /attr/n", fmt.Sprint(i), 204, "")
		if _, got, _ := v.do(f.urls[1], "GET /attr/n", ""); got != fmt.Sprint(i) {
			stale++
		}
	}
	if stale > 0 {
		t.Errorf("%d of %d reads on B were stale", stale, tries)
	}
}

func testUnknownCookies(t *testing.T, f *fleet) {
	for name, id := range map[string]string{
		"unknown":  strings.Repeat("A", 43),
		"short":    "x",
		"overlong": strings.Repeat("A", 8000),
		"garbage":  "%00<script>",
		"foreign":  "0001AAAAAAAAAAAAAAAAAAAAAAA:clone",
	} {
		for _, url := range f.urls {
			send := func(method, path string) *http.Response {
				r, err := http.NewRequestWithContext(t.Context(), method, url+path, strings.NewReader("x"))
				must(t, err)
				r.Header.Set("Cookie", "session="+id)
				resp, err := http.DefaultClient.Do(r)
				must(t, err)
				_ = resp.Body.Close()
				return resp
			}
			if resp := send("GET", "/attr/name"); resp.StatusCode != 404 || len(resp.Cookies()) != 0 {
				t.Errorf("%s: read %d %v", name, resp.StatusCode, resp.Cookies())
			}
			resp := send("PUT", "/attr/name")
			if c := resp.Cookies(); resp.StatusCode != 204 || len(c) != 1 || c[0].Value == id {
				t.Errorf("%s: write %d, cookies %v", name, resp.StatusCode, c)
			}
		}
	}
}

func testUntouched(t *testing.T, f *fleet) {
	v := newVisitor(t)
	for range 2 {
		for _, url := range f.urls {
			for _, path := range []string{"GET /untouched", "GET /healthz"} {
				if status, _, header := v.do(url, path, ""); status != 200 || header.Get("Set-Cookie") != "" || header.Get("Vary") != "" {
					t.Errorf("%s: %d %v", path, status, header)
				}
			}
		}
		v.want(f.urls[0], "PUT /attr/name", "alice", 204, "") // and once more with a cookie
	}
}

func testLargeAttribute(t *testing.T, f *fleet) {
	a, b, v := f.urls[0], f.urls[1], newVisitor(t)
	v.want(a, "PUT /attr/name", "kept", 204, "")
	large := strings.Repeat("0123456789abcdef", 10<<20/16)
	status, answer, _ := v.do(a, "PUT /attr/large", large)
	switch status {
	case 204:
		if _, got, _ := v.do(b, "GET /attr/large", ""); got != large {
			t.Errorf("10 MiB came back as %d bytes", len(got))
		}
	case 413:
		if strings.Contains(answer, "0123") {
			t.Error("the error repeats the value")
		}
		v.want(b, "GET /attr/large", "", 404, "*")
	default:
		t.Errorf("%d %.200q", status, answer)
	}
	v.want(b, "GET /attr/name", "", 200, "kept")
}
