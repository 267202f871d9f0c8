package main

import (
	"context"
	"fmt"

	"github.com/keepsake-cache/keepsake/configfile"
)

type peerCommand struct {
	Config string `required:"" placeholder:"FILE" help:"Configuration file whose cacheManager is a peer."`
}

// Run keeps records for others until ctx ends, and then hands them over.
func (c *peerCommand) Run(ctx context.Context, to streams) error {
	cfg, err := configfile.Load(c.Config)
	if err != nil {
		return err
	}
	for _, m := range cfg.CacheManagers {
		if m.Config.Provider != "peer" {
			return fmt.Errorf("%s: the provider %s keeps its records elsewhere; keepsake peer is for the provider peer", c.Config, m.Config.Provider)
		}
	}
	cfg.Sessions = nil // those who serve them open them
	system, err := cfg.Open(ctx)
	if err != nil {
		return err
	}
	for _, m := range cfg.CacheManagers {
		caches, err := system.CacheManager(m.ID)
		if err == nil {
			err = caches.AwaitSafe(ctx)
		}
		if err != nil {
			_ = system.Close(context.WithoutCancel(ctx)) // err says what is wrong
			return err
		}
	}
	fmt.Fprintln(to.out, "ready")
	<-ctx.Done()
	fmt.Fprintln(to.out, "handing over")
	return system.Close(context.WithoutCancel(ctx))
}
