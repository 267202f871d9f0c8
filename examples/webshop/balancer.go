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
		Transport:    b,
		ErrorHandler: b.fail,
	}
	mux := http.NewServeMux()
	mux.Handle("/", b.proxy)
	mux.Handle("GET /static/", static)
	mux.HandleFunc("POST /start", b.start)
	mux.HandleFunc("POST /stop", b.stop)
	return mux
}

// toShops makes a connection for each request, so that a request either reaches a
// living server or none.
var toShops = &http.Transport{
	DisableKeepAlives: true,
	DialContext:       (&net.Dialer{Timeout: time.Second}).DialContext,
}

var errNoServer = errors.New("no server is running")

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

// fail answers when no server does. If none is running, one can be started from there.
func (b *balancer) fail(w http.ResponseWriter, r *http.Request, err error) {
	if !errors.Is(err, errNoServer) {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(http.StatusServiceUnavailable)
	_ = pages.ExecuteTemplate(w, "closed.html", map[string]any{"Servers": serverStates(b.fleet.states())}) // the visitor is gone
}

// stop tells a server to end, any one if none is named, and answers when it has.
func (b *balancer) stop(w http.ResponseWriter, r *http.Request) {
	for _, s := range b.fleet.shops {
		if name := r.FormValue("server"); name != "" && name != s.name || !s.up() {
			continue
		}
		order, err := http.NewRequestWithContext(r.Context(), http.MethodPost, "http://"+s.addr+"/stop", nil)
		if err != nil {
			http.Error(w, err.Error(), http.StatusInternalServerError)
			return
		}
		if resp, err := toShops.RoundTrip(order); err == nil {
			_ = resp.Body.Close() // it may not have come to an answer
		}
		select {
		case <-s.ended():
			http.Redirect(w, r, "/?stopped="+s.name, http.StatusSeeOther)
		case <-r.Context().Done():
		}
		return
	}
	http.Redirect(w, r, "/", http.StatusSeeOther)
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
