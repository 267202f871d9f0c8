package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache"
	_ "github.com/keepsake-cache/keepsake/providers"
)

const (
	// callDeadline bounds what a server does for one call.
	callDeadline = 5 * time.Second
	// startTimeout bounds the time until the provider answers, and stopTimeout that
	// of leaving it.
	startTimeout = 30 * time.Second
	stopTimeout  = 90 * time.Second
)

// serve opens what the configuration says and serves its only cache until ctx ends.
func serve(ctx context.Context, config, listen string, out io.Writer) error {
	cfg, err := configfile.Load(config)
	if err != nil {
		return err
	}
	cfg.Sessions = nil
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	system, err := cfg.Open(starting)
	if err != nil {
		return err
	}
	leave := func() error {
		leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return system.Close(leaving)
	}
	err = serveSystem(ctx, starting, system, listen, out)
	return errors.Join(err, leave())
}

func serveSystem(ctx, starting context.Context, system *configfile.System, listen string, out io.Writer) error {
	manager, err := system.CacheManager("")
	if err != nil {
		return err
	}
	cache, err := jcache.CreateCache(starting, manager, "nemesis", jcache.Options[string, string]{})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listens on %s\n", l.Addr())
	server := &http.Server{Handler: newHandler(cache), ReadHeaderTimeout: 10 * time.Second}
	stopped := make(chan error, 1)
	go func() {
		<-ctx.Done()
		stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*callDeadline)
		defer cancel()
		stopped <- server.Shutdown(stopping)
	}()
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return <-stopped
}
