package httpsession

import (
	"bufio"
	"errors"
	"net"
	"net/http"
)

// withAbilities returns w as a type that can flush, hijack and push exactly if the
// writer underneath can, since handlers ask by type assertion. The types are
// pointers in disguise: converting to them allocates nothing.
func (w *response) withAbilities() http.ResponseWriter {
	var can ability
	for under := w.ResponseWriter; under != nil; under = unwrap(under) {
		switch under.(type) {
		case http.Flusher, interface{ FlushError() error }:
			can |= canFlush
		}
		if _, ok := under.(http.Hijacker); ok {
			can |= canHijack
		}
		if _, ok := under.(http.Pusher); ok {
			can |= canPush
		}
	}
	switch can {
	case canFlush:
		return responseF{w}
	case canHijack:
		return responseH{w}
	case canPush:
		return responseP{w}
	case canFlush | canHijack:
		return responseFH{responseF{w}}
	case canFlush | canPush:
		return responseFP{responseF{w}}
	case canHijack | canPush:
		return responseHP{responseH{w}}
	case canFlush | canHijack | canPush:
		return responseFHP{responseFH{responseF{w}}}
	}
	return w
}

type ability uint8

const (
	canFlush ability = 1 << iota
	canHijack
	canPush
)

type (
	responseF   struct{ *response }
	responseH   struct{ *response }
	responseP   struct{ *response }
	responseFH  struct{ responseF }
	responseFP  struct{ responseF }
	responseHP  struct{ responseH }
	responseFHP struct{ responseFH }
)

func (w responseF) Flush()                                        { _ = w.FlushError() } // http.Flusher cannot say
func (w responseH) Hijack() (net.Conn, *bufio.ReadWriter, error)  { return w.hijack() }
func (w responseFH) Hijack() (net.Conn, *bufio.ReadWriter, error) { return w.hijack() }

func (w responseP) Push(target string, opts *http.PushOptions) error   { return w.push(target, opts) }
func (w responseFP) Push(target string, opts *http.PushOptions) error  { return w.push(target, opts) }
func (w responseHP) Push(target string, opts *http.PushOptions) error  { return w.push(target, opts) }
func (w responseFHP) Push(target string, opts *http.PushOptions) error { return w.push(target, opts) }

var errHijack = errors.New("httpsession: a connection cannot be taken over by a request that gives the browser a new session cookie; " +
	"create or renew the session in a request before")

// hijack stores the session and hands the connection over. Afterwards the handler
// writes the header itself, so a cookie that the client needs could not be sent:
// then the connection is not handed over, and nothing is stored.
func (w *response) hijack() (net.Conn, *bufio.ReadWriter, error) {
	if !w.begun {
		needs, err := w.exchange.session.needsCookie(w.exchange)
		if err != nil {
			return nil, nil, err
		}
		if needs {
			return nil, nil, errHijack
		}
	}
	if err := w.begin(); err != nil {
		return nil, nil, err
	}
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *response) push(target string, opts *http.PushOptions) error {
	for under := w.ResponseWriter; under != nil; under = unwrap(under) {
		if p, ok := under.(http.Pusher); ok {
			return p.Push(target, opts)
		}
	}
	return http.ErrNotSupported
}
