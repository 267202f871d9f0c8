package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type forgetCommand struct {
	Config  string   `required:"" placeholder:"FILE" help:"Configuration file of a member, whose secret and addresses are used to ask the others."`
	Manager string   `placeholder:"ID" help:"Which cacheManager, if the file has several."`
	Members []string `arg:"" optional:"" placeholder:"ADDR" help:"Addresses of the members, host:port. Without any: all that are missing."`
}

// forgetPatience bounds the command.
const forgetPatience = 30 * time.Second

// Run tells the members that are there whom they wait for no longer.
func (c *forgetCommand) Run(ctx context.Context, to streams) error {
	cfg, err := configfile.Load(c.Config)
	if err != nil {
		return err
	}
	manager, err := cfg.CacheManager(c.Manager)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, forgetPatience)
	defer cancel()
	asking, err := asClient(manager.Config)
	if err != nil {
		return err
	}
	log := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(io.Discard, nil))) // it tells what the error says
	defer slog.SetDefault(log)
	p, err := connect(ctx, asking)
	if err != nil {
		return err
	}
	defer p.Close(context.WithoutCancel(ctx)) //nolint:errcheck // it has asked only
	forgetter, ok := p.(driver.Forgetter)
	if !ok {
		return fmt.Errorf("%s: the provider %s keeps its records elsewhere, and waits for no members", c.Config, manager.Config.Provider)
	}
	gone, err := forgetter.Forget(ctx, c.Members...)
	switch {
	case err != nil:
		return err
	case len(gone) == 0:
		return errors.New("no member is missing")
	}
	_, err = fmt.Fprintf(to.out, "forgotten: %s\n", strings.Join(gone, ", "))
	return err
}

// asClient returns the configuration of somebody who asks the members, if the provider makes
// a difference.
func asClient(cfg jcache.Config) (jcache.Config, error) {
	d, err := jcache.Definition(cfg.Provider)
	if err != nil {
		return cfg, err
	}
	for i := range d.Settings {
		if d.Settings[i].Name == "mode" {
			cfg.Settings = maps.Clone(cfg.Settings)
			if cfg.Settings == nil {
				cfg.Settings = make(map[string]any)
			}
			cfg.Settings["mode"] = "client"
		}
	}
	return cfg, nil
}
