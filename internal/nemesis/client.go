package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// A call is one operation on a key.
type call struct {
	kind  kind
	key   string
	value string        // of put, replace and create
	old   string        // of replace
	life  time.Duration // of what put writes; zero: for ever
}

type kind uint8

const (
	get       kind = iota
	put            // whatever was there
	remove         // reports whether there was an entry
	replace        // if the value is old
	create         // if there is no entry
	increment      // the number that is there
)

// An answer is what came of a call.
type answer struct {
	outcome outcome
	yes     bool   // found, removed, replaced, created
	value   string // of get
	server  int
	// began and ended are times since the run began.
	began, ended time.Duration
}

type outcome uint8

const (
	done    outcome = iota
	nothing         // certainly nothing was changed
	unknown         // it may have been done, or may be later
	wrong           // an answer that should not be
)

// lateness is what a call may take beyond the servers' deadline.
const lateness = time.Second

// newHTTPClient returns a client without a timeout of its own.
func newHTTPClient() *http.Client {
	return &http.Client{Transport: &http.Transport{
		DialContext:         (&net.Dialer{Timeout: time.Second}).DialContext,
		MaxIdleConnsPerHost: 32,
		DisableCompression:  true,
	}}
}

// send makes a request for a call, and says what came of it.
func send(ctx context.Context, client *http.Client, url string, c call) (o outcome, yes bool, value string) {
	method, path, body := http.MethodGet, "/k/", c.value
	switch c.kind {
	case put:
		method = http.MethodPut
	case remove:
		method = http.MethodDelete
	case replace:
		method, path, body = http.MethodPost, "/cas/", c.old+"\n"+c.value
	case create:
		method, path = http.MethodPost, "/new/"
	case increment:
		method, path = http.MethodPost, "/add/"
	}
	url += path + c.key
	if c.life != 0 {
		url += "?life=" + c.life.String()
	}
	status, value, err := request(ctx, client, method, url, body)
	switch {
	case refused(err):
		return nothing, false, ""
	case err != nil:
		return unknown, false, ""
	}
	switch status {
	case http.StatusOK:
		return done, true, value
	case http.StatusNotFound, http.StatusConflict:
		return done, false, ""
	case http.StatusServiceUnavailable:
		return nothing, false, ""
	case http.StatusGatewayTimeout:
		return unknown, false, ""
	}
	return wrong, false, value
}

// refused reports whether a request never reached a server.
func refused(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

func request(ctx context.Context, client *http.Client, method, url, body string) (status int, text string, err error) {
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return 0, "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read from
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}
