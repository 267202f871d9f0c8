package redis

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// traits are what is known of the servers once they are connected to.
type traits struct {
	evicts bool // one of them may drop live records
	values bool // scripts are forbidden, and values are compared instead
	touch  script
}

// probe finds out what the servers are, and tries all that is needed.
func (p *Provider) probe(ctx context.Context) error {
	primaries, err := p.primaries(ctx)
	if err != nil {
		return err
	}
	for _, server := range primaries {
		info, err := p.info(ctx, server.client)
		if err != nil {
			return err
		}
		switch version := info["redis_version"]; {
		case older(version, 6, 2):
			return fmt.Errorf("%w: the server is of version %s, and 6.2 is needed", driver.ErrMisconfigured, version)
		case info["redis_mode"] == "sentinel":
			return fmt.Errorf("%w: the server is a Sentinel, which keeps no records; give masterName, what it calls the primary", driver.ErrMisconfigured)
		case info["redis_mode"] == "cluster" && !p.clustered():
			return fmt.Errorf("%w: the server is one of a cluster, and does not say who the others are", driver.ErrMisconfigured)
		}
		if n, err := strconv.Atoi(info["connected_slaves"]); err == nil && n < p.opts.Replicas {
			p.opts.Logger.Warn("redis: the primary has fewer replicas than durability asks for; writes fail as long as that is so",
				"server", server.addr, "replicas", n, "durability", p.opts.Replicas)
		}
		policy := info["maxmemory_policy"]
		if memory := info["maxmemory"]; memory == "0" || memory == "" || policy == "" || policy == "noeviction" {
			continue
		}
		p.traits.evicts = true
		p.opts.Logger.Warn("redis: the server may drop entries and sessions when its memory is full; set its maxmemory-policy to noeviction",
			"server", server.addr, "policy", policy)
	}
	return p.tryScripts(ctx)
}

// addressOf names the server that a client is for.
func addressOf(server rueidis.Client) string {
	for addr := range server.Nodes() {
		return addr
	}
	return ""
}

// tryScripts executes the scripts on a key that is not there. They write nothing.
func (p *Provider) tryScripts(ctx context.Context) error {
	key, now := p.opts.Prefix+"@probe", text(time.Now().UnixMilli())
	_, err := p.run(ctx, nothingScript, key)
	if _, refused := refusalOf(err); refused && errors.Is(err, driver.ErrMisconfigured) {
		if p.compares(ctx, key) {
			p.traits.values = true
			p.opts.Logger.Info("redis: the user may execute no scripts, so values are compared by IFEQ, and caches cannot be watched")
			return nil
		}
		return fmt.Errorf("%w: scripts are forbidden, and nothing else compares and swaps; allow the user EVAL and EVALSHA (+eval +evalsha), "+
			"and remove a rename-command of them; docs/operations.md has the rules", driver.ErrMisconfigured)
	}
	if err != nil {
		return err
	}
	if _, err := p.run(ctx, swapScript, key, now, "", "", "0"); err != nil {
		return fmt.Errorf("a script was tried: %w", err)
	}
	absent := strings.Repeat("x", driver.WriteIDBytes)
	p.traits.touch = touchFullScript
	_, err = p.run(ctx, p.traits.touch, key, now, absent, "", "0", "0", "0")
	if _, refused := refusalOf(err); refused { // it does not know the first line
		p.traits.touch = touchScript
		_, err = p.run(ctx, p.traits.touch, key, now, absent, "", "0", "0", "0")
	}
	if err != nil {
		return err
	}
	// What is watched is written by scripts that publish.
	_, err = p.write(ctx, func(b rueidis.Builder) rueidis.Completed {
		return b.Publish().Channel(p.opts.Prefix + ":@probe").Message("").Build()
	})
	return err
}

// compares reports whether the servers compare values themselves: Valkey does from 8.1 on, Redis from 8.4. Nothing is written.
func (p *Provider) compares(ctx context.Context, key string) bool {
	was, _, err := p.compareAndSet(ctx, key, removed, removed, 1)
	return err == nil && was == nil
}

// info asks a server for what it is. One whose user may not ask says nothing.
func (p *Provider) info(ctx context.Context, server rueidis.Client) (map[string]string, error) {
	m, err := p.readOn(ctx, server, func(b rueidis.Builder) rueidis.Completed { return b.Info().Build() })
	if err != nil {
		if a, ok := refusalOf(err); ok && a == "NOPERM" {
			return nil, nil
		}
		return nil, err
	}
	all, err := m.ToString()
	if err != nil {
		return nil, errOther
	}
	info := make(map[string]string)
	for line := range strings.SplitSeq(all, "\r\n") {
		if name, value, ok := strings.Cut(line, ":"); ok {
			info[name] = value
		}
	}
	return info, nil
}

// older reports whether a version, such as 7.0.15, is known and older than another one.
func older(version string, major, minor int) bool {
	parts := strings.SplitN(version, ".", 3)
	if len(parts) < 2 {
		return false
	}
	a, err := strconv.Atoi(parts[0])
	b, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (a < major || a == major && b < minor)
}
