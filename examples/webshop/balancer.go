package main

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"
)

// A balancer sends requests to the servers in turn, and past those that are down. It
// knows nothing of sessions: any server can serve any visitor.
type balancer struct {
	fleet *fleet
	proxy *httputil.ReverseProxy
	next  atomic.Uint64
}

func newBalancer(f *fleet) http.Handler {
	b := &balancer{fleet: f}
	b.proxy = &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.URL.Scheme = "http"
			r.Out.URL.Host = "shop" // RoundTrip chooses the server
			r.Out.Host = r.In.Host
			r.Out.Header.Set(statesHeader, f.states())
		},
		Transport: b,
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, err error) {
			http.Error(w, err.Error(), http.StatusBadGateway)
		},
	}
	mux := http.NewServeMux()
	mux.Handle("/", b.proxy)
	mux.HandleFunc("POST /start", b.start)
	return mux
}

// toShops makes a connection for each request, so that a request either reaches a
// living server or none.
var toShops = &http.Transport{
	DisableKeepAlives: true,
	DialContext:       (&net.Dialer{Timeout: time.Second}).DialContext,
}

var errNoServer = errors.New("No server is running. Start one again with the button, or restart the demonstration.") //nolint:staticcheck,revive // the visitor reads it

// RoundTrip implements http.RoundTripper: it tries the servers in turn. A server that
// dies is passed over if it got nothing of the request, or if the request only reads.
func (b *balancer) RoundTrip(r *http.Request) (*http.Response, error) {
	n := len(b.fleet.shops)
	first := int(b.next.Add(1)) % n
	for i := range n {
		s := b.fleet.shops[(first+i)%n]
		if !s.up() {
			continue
		}
		r.URL.Host = s.addr
		resp, err := toShops.RoundTrip(r)
		var op *net.OpError
		refused := errors.As(err, &op) && op.Op == "dial"
		if err == nil || !refused && r.Method != http.MethodGet && r.Method != http.MethodHead {
			return resp, err
		}
	}
	return nil, errNoServer
}

// start starts a server that was stopped.
func (b *balancer) start(w http.ResponseWriter, r *http.Request) {
	for _, s := range b.fleet.shops {
		if s.name != r.FormValue("server") || s.up() {
			continue
		}
		if err := s.start(r.Context()); err != nil {
			http.Error(w, fmt.Sprintf("Server %s does not start: %v", s.name, err), http.StatusInternalServerError)
			return
		}
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
}
