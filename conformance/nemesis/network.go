package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A network gives each server a network namespace and an address of its own, so that
// single directions between servers can be cut. Packets in a direction that is cut go to
// a hardware address that nobody has: they vanish without an error, as in a real cut.
type network struct {
	name   string
	subnet string // the first three numbers of the addresses
	n      int
}

// nobody is a hardware address.
const nobody = "02:00:00:00:00:99"

// newNetwork lays n hosts on a bridge. The caller closes it, whatever happens. An error
// says why this machine cannot do that.
func newNetwork(n int) (*network, error) {
	switch {
	case os.Geteuid() != 0:
		return nil, errors.New("namespaces need root")
	case n > 100:
		return nil, errors.New("there are too many servers")
	}
	w := &network{name: fmt.Sprintf("ks%d", os.Getpid()), subnet: fmt.Sprintf("10.213.%d", os.Getpid()%250), n: n}
	steps := []string{
		"link add NAME type bridge",
		"addr add " + w.subnet + ".1/24 dev NAME",
		"link set NAME up",
	}
	for i := range n {
		steps = append(steps, w.fill(i,
			"netns add SPACE",
			"link add SPACE type veth peer name eth0 netns SPACE",
			"link set SPACE master NAME up",
			"-n SPACE addr add HOST/24 dev eth0",
			"-n SPACE link set eth0 up",
			"-n SPACE link set lo up")...)
	}
	for _, step := range steps {
		if err := ip(strings.ReplaceAll(step, "NAME", w.name)); err != nil {
			w.close()
			return nil, err
		}
	}
	return w, nil
}

// fill puts a host's names into commands.
func (w *network) fill(i int, steps ...string) []string {
	for at, step := range steps {
		steps[at] = strings.NewReplacer("SPACE", w.space(i), "HOST", w.host(i)).Replace(step)
	}
	return steps
}

func (w *network) space(i int) string { return fmt.Sprintf("%s-%d", w.name, i) }
func (w *network) host(i int) string  { return fmt.Sprintf("%s.%d", w.subnet, 11+i) }

// command returns a command that runs on a host.
func (w *network) command(i int, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", w.space(i), program}, args...)...)
}

// cut lets nothing through from one host to another, until heal.
func (w *network) cut(from, to int) error {
	return ip(fmt.Sprintf("-n %s neigh replace %s lladdr %s nud permanent dev eth0", w.space(from), w.host(to), nobody))
}

func (w *network) heal(from, to int) error {
	return ip(fmt.Sprintf("-n %s neigh del %s dev eth0", w.space(from), w.host(to)))
}

func (w *network) close() {
	for i := range w.n {
		_ = ip("link del " + w.space(i)) // it may not have come that far
		_ = ip("netns del " + w.space(i))
	}
	_ = ip("link del " + w.name)
}

func ip(args string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", strings.Fields(args)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("ip %s: %w: %s", args, err, out)
	}
	return nil
}
