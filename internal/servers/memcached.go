package servers

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"time"
)

// Memcached starts a memcached on a free port. Further arguments are appended to
// its command line.
func Memcached(ctx context.Context, args ...string) (*Process, error) {
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	return MemcachedAt(ctx, addr, args...)
}

// MemcachedAt is Memcached at a given address, to start one where another was.
func MemcachedAt(ctx context.Context, addr string, args ...string) (*Process, error) {
	path, err := lookProgram("memcached", installPrefix()+"apt-get install -y memcached")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	args = append([]string{"-l", host, "-p", port, "-m", "64", "-c", "4096", "-t", "2"}, args...)
	if os.Geteuid() == 0 {
		args = append(args, "-u", "root") // with another user's rights it would outlive a test that was killed
	}
	return startListening(ctx, exec.Command(path, args...), addr)
}

// MemcachedStats returns the counters of the memcached at addr, such as cmd_get.
func MemcachedStats(addr string) (map[string]string, error) {
	c, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return nil, err
	}
	defer c.Close() //nolint:errcheck // it was only read from
	if err := c.SetDeadline(time.Now().Add(2 * time.Second)); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprint(c, "stats\r\n"); err != nil {
		return nil, err
	}
	stats := make(map[string]string)
	lines := bufio.NewScanner(c)
	for lines.Scan() {
		if lines.Text() == "END" {
			return stats, nil
		}
		if f := strings.Fields(lines.Text()); len(f) == 3 {
			stats[f[1]] = f[2]
		}
	}
	return nil, fmt.Errorf("the stats of memcached end early: %w", lines.Err())
}
