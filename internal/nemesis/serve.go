package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache"
	_ "github.com/keepsake-cache/keepsake/providers"
	"github.com/keepsake-cache/keepsake/providers/peer"
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
	log.SetFlags(log.LstdFlags | log.Lmicroseconds) // servers' lines are compared
	cfg, err := configOf(config)
	if err != nil {
		return err
	}
	starting, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	watch := &clock{}
	manager, err := openManager(starting, cfg, watch)
	if err != nil {
		return err
	}
	leave := func() error {
		leaving, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
		defer cancel()
		return manager.Close(leaving)
	}
	err = serveCache(ctx, starting, manager, watch, listen, out)
	return errors.Join(err, leave())
}

// configOf returns a file's only cache manager.
func configOf(file string) (jcache.Config, error) {
	cfg, err := configfile.Load(file)
	if err != nil {
		return jcache.Config{}, err
	}
	if len(cfg.CacheManagers) != 1 {
		return jcache.Config{}, errors.New("the configuration has more than one cache manager")
	}
	return cfg.CacheManagers[0].Config, nil
}

// openManager opens a provider; a grid's with a clock that can be set.
func openManager(ctx context.Context, cfg jcache.Config, watch *clock) (*jcache.CacheManager, error) {
	if cfg.Provider != "peer" {
		return jcache.Open(ctx, cfg)
	}
	d, err := jcache.Definition(cfg.Provider)
	if err != nil {
		return nil, err
	}
	config, _, err := d.Configure(cfg.URI, cfg.Settings)
	if err != nil {
		return nil, err
	}
	opts, err := peer.OptionsOf(config.Values)
	if err != nil {
		return nil, err
	}
	opts.Clock = watch.now
	return peer.Open(ctx, opts)
}

func serveCache(ctx, starting context.Context, manager *jcache.CacheManager, watch *clock, listen string, out io.Writer) error {
	cache, err := jcache.CreateCache(starting, manager, "nemesis", jcache.Options[string, string]{})
	if err != nil {
		return err
	}
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "listens on %s\n", l.Addr())
	server := &http.Server{Handler: newHandler(cache, watch), ReadHeaderTimeout: 10 * time.Second}
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
