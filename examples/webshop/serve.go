package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	_ "github.com/keepsake-cache/keepsake/providers"
)

// startTimeout bounds the time until the provider answers, and stopTimeout the time
// that requests in progress get at the end.
const (
	startTimeout = 30 * time.Second
	stopTimeout  = 5 * time.Second
)

// serve runs one shop server until ctx ends.
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
	defer system.Close(context.WithoutCancel(ctx)) //nolint:errcheck // the process ends
	sessions, err := system.Sessions("")
	if err != nil {
		return err
	}
	caches, err := system.CacheManager("")
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	if err := caches.AwaitSafe(starting); err != nil {
		return err
	}
	fmt.Printf("server %s listens on %s\n", name, l.Addr())
	shop := newShop(name, caches.Provider())
	server := &http.Server{Handler: sessions.Handler(shop), ReadHeaderTimeout: 10 * time.Second}
	go func() {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		_ = server.Shutdown(stopping) // Serve says that it ended
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
