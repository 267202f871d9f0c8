package sessionapp

import (
	"io"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"testing"
	"time"
)

// A visitor is a browser: it keeps cookies and sends them to both servers.
type visitor struct {
	t      *testing.T
	client http.Client
}

func newVisitor(t *testing.T) *visitor {
	jar, err := cookiejar.New(nil)
	must(t, err)
	// A generous bound: that of the servers is what is tested.
	return &visitor{t, http.Client{Jar: jar, Timeout: time.Minute}}
}

// as returns a visitor with a copy of this one's cookies.
func (v *visitor) as(url string) *visitor {
	twin := newVisitor(v.t)
	r, err := http.NewRequest(http.MethodGet, url, nil)
	must(v.t, err)
	twin.client.Jar.SetCookies(r.URL, v.client.Jar.Cookies(r.URL))
	return twin
}

// do sends a request such as "PUT /attr/name" and returns the answer.
func (v *visitor) do(url, request, body string) (status int, answer string, header http.Header) {
	v.t.Helper()
	method, path, _ := strings.Cut(request, " ")
	r, err := http.NewRequestWithContext(v.t.Context(), method, url+path, strings.NewReader(body))
	if err != nil {
		v.t.Error(err)
		return 0, "", nil
	}
	resp, err := v.client.Do(r)
	if err != nil {
		return 0, err.Error(), nil
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read from
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error(), nil
	}
	return resp.StatusCode, string(data), resp.Header
}

// want fails the test if the answer is another one.
func (v *visitor) want(url, request, body string, status int, answer string) {
	v.t.Helper()
	if gotStatus, got, _ := v.do(url, request, body); gotStatus != status || answer != "*" && got != answer {
		v.t.Errorf("%s: %d %.200q, want %d %q", request, gotStatus, got, status, answer)
	}
}

// eventually polls until the answer has the status.
func (v *visitor) eventually(within time.Duration, url, request, body string, status int) {
	v.t.Helper()
	deadline := time.NewTimer(within)
	defer deadline.Stop()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		got, answer, _ := v.do(url, request, body)
		if got == status {
			return
		}
		select {
		case <-deadline.C:
			v.t.Fatalf("%s: still %d %.200q after %v, want %d", request, got, answer, within, status)
		case <-tick.C:
		}
	}
}
