package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/internal/servers"
)

// A Network joins hosts, each a server's, with a bridge that this process is at, too.
type Network struct {
	t     testing.TB
	name  string
	hosts int
	addrs []string // of members of Hazelcast, one on each host
}

// NewNetwork makes a network of n hosts, as root of a Linux.
func NewNetwork(t testing.TB, n int) *Network {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("SKIPPED: a network that can be split needs root")
	}
	w := &Network{t: t, name: fmt.Sprintf("kshz%d", os.Getpid()%100000), hosts: n}
	subnet := fmt.Sprintf("10.213.%d.", os.Getpid()%250)
	t.Cleanup(w.remove)
	w.run("ip link add", w.name, "type bridge")
	w.run("ip addr add", subnet+"254/24 dev", w.name)
	w.run("ip link set", w.name, "up")
	for i := range n {
		host, link := w.host(i), w.link(i)
		w.run("ip netns add", host)
		w.run("ip link add", link, "type veth peer name eth0 netns", host)
		w.run("ip link set", link, "master", w.name)
		w.run("ip link set", link, "up")
		w.run("ip -n", host, "addr add", fmt.Sprintf("%s%d/24", subnet, i+1), "dev eth0")
		w.run("ip -n", host, "link set eth0 up")
		w.run("ip -n", host, "link set lo up")
		w.addrs = append(w.addrs, fmt.Sprintf("%s%d:5701", subnet, i+1))
	}
	return w
}

func (w *Network) host(i int) string { return fmt.Sprint(w.name, "-", i) }
func (w *Network) link(i int) string { return fmt.Sprint(w.name, "v", i) }

func (w *Network) run(words ...string) {
	w.t.Helper()
	args := strings.Fields(strings.Join(words, " "))
	if out, err := exec.Command(args[0], args[1:]...).CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v: %s", strings.Join(args, " "), err, out)
	}
}

func (w *Network) remove() {
	for i := range w.hosts {
		_ = exec.Command("ip", "netns", "del", w.host(i)).Run() // what was not made cannot be removed
	}
	_ = exec.Command("ip", "link", "del", w.name).Run()
}

// command runs a member on its host.
func (w *Network) command(i int, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", w.host(i), program}, args...)...)
}

// Split cuts all hosts off from each other, or not any more. This process reaches all of them.
func (w *Network) Split(on bool) {
	w.t.Helper()
	for i := range w.hosts {
		w.run("bridge link set dev", w.link(i), "isolated", map[bool]string{true: "on", false: "off"}[on])
	}
}

// Hazelcast starts a member on each host. See servers.Hazelcast for the configuration file.
func (w *Network) Hazelcast(t testing.TB, config string, args ...string) *servers.HazelcastCluster {
	t.Helper()
	c, err := servers.HazelcastWith(startContext(t), w.command, w.addrs, config, args...)
	Check(t, err)
	t.Cleanup(c.Kill)
	return c
}
