package command

import (
	"context"
	"fmt"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type conformanceCommand struct {
	Config  string `required:"" placeholder:"FILE" help:"Configuration file that chooses the provider."`
	Manager string `placeholder:"ID" help:"Which cacheManager, if the file has several."`
}

// Run runs the suite on the provider and prints the report.
func (c *conformanceCommand) Run(ctx context.Context, to streams) error {
	cfg, err := configfile.Load(c.Config)
	if err != nil {
		return err
	}
	manager, err := cfg.CacheManager(c.Manager)
	if err != nil {
		return err
	}
	lacks, err := missing(ctx, manager.Config)
	if err != nil {
		return err
	}
	report := conformance.Check(ctx, conformance.Harness{
		Name: manager.Config.Provider,
		Connect: func(t conformance.T) driver.Provider {
			p, err := connect(t.Context(), manager.Config)
			if err != nil {
				t.Fatalf("connect: %v", err)
			}
			return p
		},
		Lacks: lacks,
	})
	fmt.Fprint(to.out, report)
	if report.Failed > 0 {
		return errReported
	}
	return nil
}

// connect opens the bare driver.
func connect(ctx context.Context, cfg jcache.Config) (driver.Provider, error) {
	d, err := jcache.Definition(cfg.Provider)
	if err != nil {
		return nil, err
	}
	config, _, err := d.Configure(cfg.URI, cfg.Settings)
	if err != nil {
		return nil, err
	}
	return d.Open(ctx, config)
}

// missing looks which optional interfaces the provider's caches lack. What it says itself
// cannot be held against it.
func missing(ctx context.Context, cfg jcache.Config) ([]driver.Feature, error) {
	p, err := connect(ctx, cfg)
	if err != nil {
		return nil, err
	}
	defer p.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it was only looked at
	cache, err := p.OpenCache(ctx, "conformance", driver.CacheOptions{})
	if err != nil {
		return nil, err
	}
	lacks := driver.FeaturesOf(cache).Missing()
	return lacks, cache.Close()
}
