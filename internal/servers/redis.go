package servers

import (
	"context"
	"net"
	"os/exec"
)

// Redis starts a redis-server on a free port, which keeps nothing on disk. Further
// arguments are appended to its command line.
func Redis(ctx context.Context, args ...string) (*Process, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	return RedisAt(ctx, addr, args...)
}

// RedisAt is Redis at a given address, to start one where another was.
func RedisAt(ctx context.Context, addr string, args ...string) (*Process, error) {
	return redisAt(ctx, "redis-server", installPrefix()+"apt-get install -y redis-server", addr, args)
}

// Valkey is Redis with a valkey-server.
func Valkey(ctx context.Context, args ...string) (*Process, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	return redisAt(ctx, "valkey-server", "internal/servers/install valkey", addr, args)
}

func redisAt(ctx context.Context, program, install, addr string, args []string) (*Process, error) {
	path, err := lookProgram(program, install)
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	args = append([]string{"--bind", host, "--port", port, "--save", "", "--appendonly", "no"}, args...)
	return startListening(ctx, exec.Command(path, args...), addr)
}
