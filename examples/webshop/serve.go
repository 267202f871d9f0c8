package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	_ "github.com/keepsake-cache/keepsake/providers"
)

// startTimeout bounds the time until the provider answers.
const startTimeout = 30 * time.Second

// serve runs one shop server until ctx ends or it is asked to end.
func serve(ctx context.Context, listen, name, config string) error {
	cfg, err := configfile.Load(config)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	system, err := cfg.Open(starting)
	if err != nil {
		return err
	}
	sessions, err := system.Sessions("")
	if err != nil {
		return err
	}
	caches, err := system.CacheManager("")
	if err != nil {
		return err
	}
	shop := newShop(name, caches.Provider())
	mux := http.NewServeMux()
	mux.Handle("/", sessions.Handler(shop))
	mux.Handle("/healthz", system.HealthHandler())
	return system.Serve(ctx, &http.Server{
		Addr: listen, Handler: mux, ReadHeaderTimeout: 10 * time.Second,
		BaseContext: func(l net.Listener) context.Context {
			fmt.Printf("server %s listens on %s\n", name, l.Addr())
			return context.Background()
		},
	})
}
