package main

import (
	"context"
	"io"
	"net/http"
	"strings"
	"time"
)

// visitPatience bounds a request: longer than the servers may take.
const visitPatience = 15 * time.Second

// ask sends a request to a server, and to another one if that cannot be reached at all.
// fresh is the cookie that came back, if it is another one.
func (v *visitor) ask(cookie *http.Cookie, method, path, body string) (a answer, status int, fresh *http.Cookie) {
	f := v.v.f
	for attempt := 0; ; attempt++ {
		a = answer{server: f.choose(v.rng, v.v.others), began: f.since()}
		var err error
		status, a.value, fresh, err = v.send(a.server, cookie, method, path, body)
		a.ended = f.since()
		if refused(err) && attempt < 2 {
			continue
		}
		switch {
		case refused(err):
			a.outcome = nothing
		case err != nil || status >= http.StatusInternalServerError:
			a.outcome = unknown
		case status == http.StatusOK || status == http.StatusNoContent:
			a.yes = true
		case status != http.StatusNotFound && status != http.StatusConflict:
			a.outcome = wrong
			v.v.broken("server %d answers %d to %s %s", a.server, status, method, path)
		}
		if a.ended-a.began >= visitPatience && !f.excused(a) {
			v.v.broken("no answer in time: %s %s at server %d, %.4f to %.4f s", method, path, a.server, a.began.Seconds(), a.ended.Seconds())
		}
		v.v.note(a)
		return a, status, fresh
	}
}

func (v *visitor) send(server int, cookie *http.Cookie, method, path, body string) (status int, text string, fresh *http.Cookie, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), visitPatience)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, v.v.f.url(server)+path, strings.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	if cookie != nil {
		req.AddCookie(&http.Cookie{Name: cookie.Name, Value: cookie.Value})
	}
	resp, err := v.v.f.client.Do(req)
	if err != nil {
		return 0, "", nil, err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read from
	data, err := io.ReadAll(resp.Body)
	for _, c := range resp.Cookies() {
		if c.MaxAge >= 0 && (cookie == nil || c.Value != cookie.Value) {
			fresh = c
		}
	}
	return resp.StatusCode, string(data), fresh, err
}
