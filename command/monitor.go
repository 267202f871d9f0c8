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

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/metrics"
)

// A monitor answers those who watch over a process, in plain HTTP: /metrics for
// Prometheus, and what configfile.HealthHandler tells.
type monitor struct {
	ctx      context.Context // ends when the process begins to end
	addr     net.Addr
	registry *prometheus.Registry
	system   atomic.Pointer[configfile.System] // nil until it is open
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
	for _, path := range []string{"/healthz", "/readyz", "/livez"} {
		mux.Handle("GET "+path, configfile.HealthHandler(m.health))
	}
	m.server.Handler, m.server.ReadHeaderTimeout = mux, monitorPatience
	go func() {
		defer close(m.done)
		_ = m.server.Serve(listener) // until close
	}()
	return m, nil
}

// watch adds a system. Its providers may have metrics.
func (m *monitor) watch(system *configfile.System, managers []*jcache.CacheManager) error {
	for _, caches := range managers {
		if err := m.registry.Register(metrics.Provider(caches)); err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
	}
	if err := m.registry.Register(metrics.Health(m.health)); err != nil {
		return fmt.Errorf("metrics: %w", err)
	}
	m.system.Store(system)
	return nil
}

func (m *monitor) health() jcache.Health {
	var h jcache.Health
	system := m.system.Load()
	if system != nil {
		h = system.Health()
	}
	switch {
	case m.ctx.Err() != nil:
		h.Unready = append(h.Unready, "handing over")
	case system == nil:
		h.Unready = append(h.Unready, "joining")
	}
	return h
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
