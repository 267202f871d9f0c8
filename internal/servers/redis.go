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
	path, err := lookProgram("redis-server", installPrefix()+"apt-get install -y redis-server")
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
