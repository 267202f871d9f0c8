package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// startBackend makes sure that somebody answers at the addresses of the
// configuration: if nobody does, it starts the provider's server there. The returned
// function ends what was started.
func startBackend(ctx context.Context, out io.Writer, cfg jcache.Config) (stop func(), err error) {
	addrs := addresses(cfg)
	if len(addrs) == 0 || answers(addrs) {
		return func() {}, nil
	}
	starting, cancel := context.WithTimeout(ctx, 90*time.Second)
	defer cancel()
	switch cfg.Provider {
	case "memcached", "redis":
		fmt.Fprintf(out, "Nobody answers at %v. Starting %s there …\n", addrs, cfg.Provider)
		start := servers.MemcachedAt
		if cfg.Provider == "redis" {
			start = servers.RedisAt
		}
		var started []*servers.Process
		stop = func() {
			for _, p := range started {
				p.Kill()
			}
		}
		for _, addr := range addrs {
			p, err := start(starting, addr)
			if err != nil {
				stop()
				return nil, err
			}
			started = append(started, p)
		}
		return stop, nil
	case "sql":
		fmt.Fprintf(out, "Nobody answers at %v. Starting PostgreSQL there …\n", addrs)
		d, err := servers.PostgresAt(starting, addrs[0])
		if err != nil {
			return nil, err
		}
		return d.Remove, nil
	case "hazelcast":
		fmt.Fprintf(out, "Nobody answers at %v. Starting members of Hazelcast there …\n", addrs)
		dir, err := os.MkdirTemp("", "webshop")
		if err != nil {
			return nil, err
		}
		file := filepath.Join(dir, "hazelcast-member.xml")
		if err := os.WriteFile(file, []byte(hazelcast.MemberConfig), 0o600); err != nil {
			return nil, err
		}
		c, err := servers.HazelcastAt(starting, addrs, file)
		if err != nil {
			_ = os.RemoveAll(dir)
			return nil, err
		}
		return func() {
			c.Kill()
			_ = os.RemoveAll(dir) // a leftover in the temporary directory
		}, nil
	}
	return nil, fmt.Errorf("nobody answers at %v; start the %s there, or name another address in KEEPSAKE_SERVERS", addrs, cfg.Provider)
}

// addresses are those of the provider's servers. A file of SQLite has none.
func addresses(cfg jcache.Config) []string {
	if cfg.Provider != "sql" {
		addrs, _ := cfg.Settings["servers"].([]string)
		return addrs
	}
	address, _ := cfg.Settings["url"].(string)
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "postgres" {
		return nil
	}
	return []string{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "5432"))}
}

// answers reports whether somebody listens at one of the addresses.
func answers(addrs []string) bool {
	for _, addr := range addrs {
		c, err := net.DialTimeout("tcp", addr, time.Second)
		if err == nil {
			_ = c.Close() // it was only a try
			return true
		}
	}
	return false
}
