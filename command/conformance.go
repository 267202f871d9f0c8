package command

import (
	"context"
	"fmt"
	"maps"
	"net"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type conformanceCommand struct {
	Config  string `required:"" placeholder:"FILE" help:"Configuration file that chooses the provider."`
	Manager string `placeholder:"ID" help:"Which cacheManager, if the file has several."`
	Through string `placeholder:"SETTING" help:"The provider's setting with the address of its only server. A proxy is put there to break the network."`
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
	open := func(t conformance.T, cfg jcache.Config) driver.Provider {
		p, err := connect(t.Context(), cfg)
		if err != nil {
			t.Fatalf("connect: %v", err)
		}
		return p
	}
	harness := conformance.Harness{
		Name:    manager.Config.Provider,
		Connect: func(t conformance.T) driver.Provider { return open(t, manager.Config) },
		Lacks:   lacks,
	}
	if c.Through != "" {
		if harness.Server, err = server(manager.Config, c.Through); err != nil {
			return fmt.Errorf("%s: %w", c.Config, err)
		}
		harness.ConnectTo = func(t conformance.T, addr string) driver.Provider {
			return open(t, at(manager.Config, c.Through, addr))
		}
	}
	report := conformance.Check(ctx, harness)
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

// server returns the address in a setting, host:port.
func server(cfg jcache.Config, name string) (string, error) {
	addr := ""
	switch value := cfg.Settings[name].(type) {
	case string:
		addr = value
	case []string:
		if len(value) == 1 {
			addr = value[0]
		}
	}
	if _, _, err := net.SplitHostPort(addr); err != nil {
		return "", fmt.Errorf("--through takes a setting with the address of a single server, host:port; %s is none", name)
	}
	return addr, nil
}

// at returns the configuration with another address in a setting.
func at(cfg jcache.Config, name, addr string) jcache.Config {
	cfg.Settings = maps.Clone(cfg.Settings)
	if _, list := cfg.Settings[name].([]string); list {
		cfg.Settings[name] = []string{addr}
	} else {
		cfg.Settings[name] = addr
	}
	return cfg
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
