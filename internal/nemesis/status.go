package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"runtime"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

// A status is how a server is. Without a grid, only Ready and what follows Grid are known.
type status struct {
	Ready bool   // it serves, and all copies are made
	Why   string // it is so, where that is told
	Grid  peer.Stats

	Goroutines int
	HeapBytes  uint64 // after a collection, if that was asked for
}

// statusOfServer describes this process. collect frees memory first.
func statusOfServer(ctx context.Context, cache *jcache.Cache[string, string], collect bool) (status, error) {
	var s status
	if collect {
		runtime.GC()
		var mem runtime.MemStats
		runtime.ReadMemStats(&mem)
		s.HeapBytes = mem.HeapAlloc
	}
	s.Goroutines = runtime.NumGoroutine()
	if p, ok := cache.Unwrap().(*peer.Provider); ok {
		h := p.Health() // whom the nemesis killed is missed, and does not come back by itself
		s.Ready, s.Grid = h.Ready() && len(h.Pending) == 0, p.Stats()
		return s, nil
	}
	s.Ready = true
	return s, cache.Manager().Ping(ctx)
}

// statusTimeout bounds the question how a server is.
const statusTimeout = 2 * time.Second

// status asks a server how it is.
func (f *fleet) status(ctx context.Context, i int, query string) (status, error) {
	var s status
	ctx, cancel := context.WithTimeout(ctx, statusTimeout)
	defer cancel()
	if f.app {
		code, text, err := request(ctx, f.client, http.MethodGet, f.url(i)+"/system/healthz", "")
		return status{Ready: code == http.StatusOK, Why: text}, err
	}
	code, text, err := request(ctx, f.client, http.MethodGet, f.url(i)+"/status"+query, "")
	switch {
	case err != nil:
		return s, fmt.Errorf("server %d: %w", i, err)
	case code != http.StatusOK:
		return s, fmt.Errorf("server %d answers %d", i, code)
	}
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return s, fmt.Errorf("server %d: %w", i, err)
	}
	return s, nil
}
