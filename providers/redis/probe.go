package redis

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// traits are what a server says of itself when it is connected to.
type traits struct {
	version string
	mode    string // standalone, cluster or sentinel
	memory  int64  // maxmemory; zero: no bound
	policy  string // maxmemory-policy
	touch   script
}

// evicts reports whether the server may drop live records.
func (t traits) evicts() bool { return t.memory > 0 && t.policy != "" && t.policy != "noeviction" }

// probe finds out what the server is, and tries all that is needed.
func (p *Provider) probe(ctx context.Context) error {
	info, err := p.info(ctx)
	if err != nil {
		return err
	}
	p.traits = traits{version: info["redis_version"], mode: info["redis_mode"], policy: info["maxmemory_policy"]}
	p.traits.memory, _ = strconv.ParseInt(info["maxmemory"], 10, 64)
	switch {
	case older(p.traits.version, 6, 2):
		return fmt.Errorf("%w: the server is of version %s, and 6.2 is needed", driver.ErrMisconfigured, p.traits.version)
	case p.traits.mode == "sentinel":
		return fmt.Errorf("%w: the server is a Sentinel, which keeps no records; give the address of the primary", driver.ErrMisconfigured)
	case p.traits.mode == "cluster":
		return fmt.Errorf("%w: the server is one of a cluster, and this provider needs one that has all records", driver.ErrMisconfigured)
	}
	if p.traits.evicts() {
		p.opts.Logger.Warn("redis: the server may drop entries and sessions when its memory is full; set its maxmemory-policy to noeviction",
			"server", p.opts.Servers[0], "policy", p.traits.policy)
	}
	return p.tryScripts(ctx)
}

// tryScripts executes the scripts on a key that is not there. They write nothing.
func (p *Provider) tryScripts(ctx context.Context) error {
	key, now := p.opts.Prefix+"@probe", text(time.Now().UnixMilli())
	if _, err := p.run(ctx, swapScript, key, now, "", "", "0"); err != nil {
		return fmt.Errorf("a script was tried: %w", err)
	}
	absent := strings.Repeat("x", driver.WriteIDBytes)
	p.traits.touch = touchFullScript
	_, err := p.run(ctx, p.traits.touch, key, now, absent, "", "0")
	if _, refused := refusalOf(err); refused { // it does not know the first line
		p.traits.touch = touchScript
		_, err = p.run(ctx, p.traits.touch, key, now, absent, "", "0")
	}
	return err
}

// info asks the server for what it is. One whose user may not ask says nothing.
func (p *Provider) info(ctx context.Context) (map[string]string, error) {
	m, err := p.read(ctx, func(b rueidis.Builder) rueidis.Completed { return b.Info().Build() })
	if err != nil {
		if a, ok := refusalOf(err); ok && a == "NOPERM" {
			return nil, nil
		}
		return nil, err
	}
	all, err := m.ToString()
	if err != nil {
		return nil, fmt.Errorf("%w: the server does not speak Redis's protocol", driver.ErrMisconfigured)
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
