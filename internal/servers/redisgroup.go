package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A RedisGroup is several redis-servers that fail over.
type RedisGroup struct {
	// Addrs are where a client begins: of the Sentinels, or of all servers of a cluster.
	Addrs []string
	// Servers keep the records. The first ones are primaries when the group starts.
	Servers []*Process

	sentinels []*Process
	dir       string
}

// MasterName is what the Sentinels of RedisSentinel call the primary.
const MasterName = "shop"

// RedisSentinel starts a primary with replicas, and three Sentinels that replace it after a second.
func RedisSentinel(ctx context.Context, replicas int) (*RedisGroup, error) {
	return newGroup(func(g *RedisGroup) error {
		primary, err := g.start(ctx)
		if err != nil {
			return err
		}
		host, port, err := net.SplitHostPort(primary.Addr)
		if err != nil {
			return err
		}
		for range replicas {
			if _, err := g.start(ctx, "--replicaof", host+" "+port); err != nil {
				return err
			}
		}
		for _, replica := range g.Servers[1:] {
			if err := awaitOutput(ctx, replica, replica.Addr, "master_link_status:up", "INFO", "replication"); err != nil {
				return err
			}
		}
		return g.startSentinels(ctx, host, port)
	})
}

func (g *RedisGroup) startSentinels(ctx context.Context, host, port string) error {
	path, err := lookProgram("redis-server", installPrefix()+"apt-get install -y redis-server")
	if err != nil {
		return err
	}
	const quorum = 2
	for i := range 3 {
		addr, err := FreeAddr()
		if err != nil {
			return err
		}
		_, own, err := net.SplitHostPort(addr)
		if err != nil {
			return err
		}
		file := filepath.Join(g.dir, fmt.Sprintf("sentinel%d.conf", i))
		config := fmt.Sprintf("bind 127.0.0.1\nport %s\nsentinel monitor %s %s %s %d\nsentinel down-after-milliseconds %s 1000\n"+
			"sentinel failover-timeout %s 5000\n", own, MasterName, host, port, quorum, MasterName, MasterName)
		if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
			return err
		}
		p, err := startListening(ctx, exec.Command(path, file, "--sentinel"), addr)
		if err != nil {
			return err
		}
		g.sentinels, g.Addrs = append(g.sentinels, p), append(g.Addrs, addr)
		// What they find out takes ten seconds by default. Before Redis 7 it cannot be changed.
		_, _ = RedisCLI(addr, "SENTINEL", "DEBUG", "info-period", "500", "publish-period", "200")
	}
	for _, p := range g.sentinels { // each knows the others, and the replicas
		want := fmt.Sprintf("slaves=%d,sentinels=3", len(g.Servers)-1)
		if err := awaitOutput(ctx, p, p.Addr, want, "INFO", "sentinel"); err != nil {
			return err
		}
	}
	return nil
}

// RedisCluster starts a cluster of as many primaries, each with one replica. One that does not answer
// for a second and a half is replaced.
func RedisCluster(ctx context.Context, primaries int) (*RedisGroup, error) {
	return newGroup(func(g *RedisGroup) error {
		args := []string{"--cluster", "create"}
		for range 2 * primaries {
			bus, err := FreeAddr() // by default it is 10,000 above the port, and there may be no such port
			if err != nil {
				return err
			}
			_, busPort, err := net.SplitHostPort(bus)
			if err != nil {
				return err
			}
			p, err := g.start(ctx, "--cluster-enabled", "yes", "--cluster-node-timeout", "1500", "--cluster-port", busPort,
				"--cluster-config-file", "nodes"+busPort+".conf")
			if err != nil {
				return err
			}
			g.Addrs = append(g.Addrs, p.Addr)
			args = append(args, p.Addr+"@"+busPort)
		}
		out, err := exec.CommandContext(ctx, "redis-cli", append(args, "--cluster-replicas", "1", "--cluster-yes")...).CombinedOutput()
		if err != nil {
			return fmt.Errorf("make a cluster: %w: %s", err, out)
		}
		for i, p := range g.Servers {
			if err := awaitOutput(ctx, p, p.Addr, "cluster_state:ok", "CLUSTER", "INFO"); err != nil {
				return err
			}
			if i >= primaries {
				if err := awaitOutput(ctx, p, p.Addr, "master_link_status:up", "INFO", "replication"); err != nil {
					return err
				}
			}
		}
		return nil
	})
}

// start adds a server, which has a file of its own for what it gets from its primary.
func (g *RedisGroup) start(ctx context.Context, args ...string) (*Process, error) {
	file := fmt.Sprintf("dump%d.rdb", len(g.Servers))
	p, err := Redis(ctx, append(args, "--dir", g.dir, "--dbfilename", file, "--repl-diskless-sync-delay", "0")...)
	if err == nil {
		g.Servers = append(g.Servers, p)
	}
	return p, err
}

func newGroup(start func(*RedisGroup) error) (*RedisGroup, error) {
	dir, err := os.MkdirTemp("", "redis")
	if err != nil {
		return nil, err
	}
	g := &RedisGroup{dir: dir}
	if err := start(g); err != nil {
		g.Kill()
		return nil, err
	}
	return g, nil
}

// Primary returns the server that takes the writes of a group with Sentinels, as they say.
func (g *RedisGroup) Primary() (*Process, error) {
	for _, addr := range g.Addrs {
		out, err := RedisCLI(addr, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MasterName)
		if err != nil {
			continue
		}
		lines := strings.Fields(out)
		for _, p := range g.Servers {
			if len(lines) == 2 && p.Addr == net.JoinHostPort(lines[0], lines[1]) {
				return p, nil
			}
		}
	}
	return nil, fmt.Errorf("no Sentinel at %v names one of the servers", g.Addrs)
}

// Kill ends all servers.
func (g *RedisGroup) Kill() {
	for _, p := range append(g.sentinels, g.Servers...) {
		p.Kill()
	}
	_ = os.RemoveAll(g.dir) // a leftover in the temporary directory
}

// RedisCLI sends a command to the redis-server at addr, and returns what redis-cli prints.
func RedisCLI(addr string, command ...string) (string, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return "", err
	}
	out, err := exec.Command("redis-cli", append([]string{"-h", host, "-p", port}, command...)...).Output()
	return string(out), err
}

// awaitOutput waits until a server answers a command with a text in it.
func awaitOutput(ctx context.Context, p *Process, addr, text string, command ...string) error {
	return p.await(ctx, func() error {
		out, err := RedisCLI(addr, command...)
		if err == nil && !strings.Contains(out, text) {
			err = fmt.Errorf("no %s", text)
		}
		return err
	})
}
