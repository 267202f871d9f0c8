package command

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A monitor answers those who watch over a process, in plain HTTP: /metrics for
// Prometheus, and /healthz, which is 200 as long as the next process of the fleet may be
// restarted.
type monitor struct {
	ctx      context.Context // ends when the process begins to end
	addr     net.Addr
	registry *prometheus.Registry
	managers atomic.Pointer[[]*jcache.CacheManager] // nil until they are open
	server   http.Server
	done     chan struct{}
}

// monitorPatience bounds how long the header of a request may take, and how long the last
// answers are waited for.
const monitorPatience = 5 * time.Second

// startMonitor answers at an address until the monitor is closed.
func startMonitor(ctx context.Context, addr string) (*monitor, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("metrics: %w", err)
	}
	m := &monitor{ctx: ctx, addr: listener.Addr(), registry: prometheus.NewRegistry(), done: make(chan struct{})}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /healthz", m.health)
	m.server.Handler, m.server.ReadHeaderTimeout = mux, monitorPatience
	go func() {
		defer close(m.done)
		_ = m.server.Serve(listener) // until close
	}()
	return m, nil
}

// watch adds managers whose providers have metrics.
func (m *monitor) watch(managers []*jcache.CacheManager) error {
	for _, caches := range managers {
		if p, ok := caches.Unwrap().(interface{ Collector() prometheus.Collector }); ok {
			if err := m.registry.Register(p.Collector()); err != nil {
				return fmt.Errorf("metrics: %w", err)
			}
		}
	}
	m.managers.Store(&managers)
	return nil
}

func (m *monitor) health(w http.ResponseWriter, _ *http.Request) {
	if trouble := m.trouble(); trouble != "" {
		http.Error(w, trouble, http.StatusServiceUnavailable)
		return
	}
	_, _ = fmt.Fprintln(w, "ok") // whoever asked may be gone
}

// trouble says why the next process must not be restarted yet.
func (m *monitor) trouble() string {
	managers := m.managers.Load()
	switch {
	case m.ctx.Err() != nil:
		return "handing over"
	case managers == nil:
		return "joining"
	}
	for _, caches := range *managers {
		if !caches.Safe() {
			return "records lack copies"
		}
	}
	return ""
}

// close waits a moment for the answers that are under way.
func (m *monitor) close() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(m.ctx), monitorPatience)
	defer cancel()
	if m.server.Shutdown(ctx) != nil {
		_ = m.server.Close() // somebody does not read
	}
	<-m.done
}
