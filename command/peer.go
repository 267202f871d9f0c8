package command

import (
	"context"
	"fmt"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type peerCommands struct {
	Keep   peerCommand   `cmd:"" default:"withargs" help:"Keep records for the other members; the same as peer alone."`
	Forget forgetCommand `cmd:"" help:"Wait no longer for members that are gone for good: what only they had is lost."`
}

type peerCommand struct {
	Config  string `required:"" placeholder:"FILE" help:"Configuration file whose cacheManager keeps its records in the processes that use it, as peer does."`
	Metrics string `placeholder:"ADDR" help:"Where /metrics, /healthz, /readyz and /livez are served in plain HTTP, host:port. Without it they are not."`
}

// Run keeps records for others until ctx ends, and then hands them over.
func (c *peerCommand) Run(ctx context.Context, to streams) error {
	cfg, err := configfile.Load(c.Config)
	if err != nil {
		return err
	}
	for _, m := range cfg.CacheManagers {
		if m.Config.Settings["mode"] == "client" {
			return fmt.Errorf("%s: a client holds no records; keepsake peer is for the modes server and both", c.Config)
		}
	}
	var m *monitor
	if c.Metrics != "" {
		if m, err = startMonitor(ctx, c.Metrics); err != nil {
			return err
		}
		defer m.close()
		fmt.Fprintf(to.out, "metrics at http://%s/metrics\n", m.addr)
	}
	cfg.Sessions = nil // those who serve them open them
	system, err := cfg.Open(ctx)
	if err != nil {
		return err
	}
	if err := c.keep(ctx, to, cfg, system, m); err != nil {
		_ = system.Close(context.WithoutCancel(ctx)) // err says what is wrong
		return err
	}
	return system.Close(context.WithoutCancel(ctx))
}

// keep keeps records until ctx ends, watched by a monitor that may be nil.
func (c *peerCommand) keep(ctx context.Context, to streams, cfg *configfile.Config, system *configfile.System, watched *monitor) error {
	managers := make([]*jcache.CacheManager, len(cfg.CacheManagers))
	for i, m := range cfg.CacheManagers {
		var err error
		if managers[i], err = system.CacheManager(m.ID); err != nil {
			return err
		}
		if _, here := managers[i].Unwrap().(driver.Safety); !here {
			return fmt.Errorf("%s: the provider %s keeps its records elsewhere; the command peer is for one that keeps them in the processes that use it",
				c.Config, m.Config.Provider)
		}
	}
	if watched != nil {
		if err := watched.watch(system, managers); err != nil {
			return err
		}
	}
	for _, caches := range managers {
		if caches.AwaitSafe(ctx) != nil {
			fmt.Fprintln(to.out, "handing over")
			return nil
		}
	}
	fmt.Fprintln(to.out, "ready")
	<-ctx.Done()
	fmt.Fprintln(to.out, "handing over")
	return nil
}
