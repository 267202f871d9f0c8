// Package lan gives processes of one machine hosts of their own: a network namespace each,
// with an address, behind a switch in this process that can hurt what passes. Each direction
// between two hosts is a link with a condition of its own. Nothing of the kernel is needed
// but namespaces and tun devices, so it works where there is no netem.
//
// It needs root on Linux, and the program ip.
package lan

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A LAN is hosts and what is between them. Its methods may be called at the same time.
type LAN struct {
	name   string
	subnet string // the first three numbers of the addresses
	hosts  int
	ports  []port
	hub    *hub
}

// Outside is this machine as a host: its own processes reach all the others.
const Outside = -1

// maxHosts bounds the addresses and the links.
const maxHosts = 32

// New makes a network of so many hosts, all of whose links are sound. Which packets a link
// loses or doubles follows from the seed. The caller closes it. An error says why this
// machine cannot do that.
func New(hosts int, seed uint64) (*LAN, error) {
	switch {
	case os.Geteuid() != 0:
		return nil, errors.New("network namespaces need root")
	case hosts < 1 || hosts > maxHosts:
		return nil, fmt.Errorf("the number of hosts is not from 1 to %d", maxHosts)
	}
	l := &LAN{name: fmt.Sprintf("ks%d", os.Getpid()), subnet: fmt.Sprintf("10.213.%d", os.Getpid()%250), hosts: hosts}
	for i := Outside; i < hosts; i++ {
		if err := l.plug(i); err != nil {
			l.Close()
			return nil, err
		}
	}
	l.hub = newHub(l.ports, seed)
	return l, nil
}

// plug makes a host and its device.
func (l *LAN) plug(i int) error {
	device := l.space(i)
	if i == Outside {
		device = l.name
	}
	p, err := openTun(device)
	if err != nil {
		return err
	}
	l.ports = append(l.ports, p)
	steps := []string{
		"addr add " + l.Addr(i) + "/24 dev " + device,
		"link set " + device + " up",
	}
	if i != Outside {
		steps = []string{
			"netns add " + device,
			"link set " + device + " netns " + device + " name eth0",
			"-n " + device + " addr add " + l.Addr(i) + "/24 dev eth0",
			"-n " + device + " link set eth0 up",
			"-n " + device + " link set lo up",
		}
	}
	for _, step := range steps {
		if err := ip(step); err != nil {
			return err
		}
	}
	return nil
}

func (l *LAN) space(i int) string { return fmt.Sprintf("%s-%d", l.name, i) }

// firstAddr is the last number of the address of Outside; the hosts follow.
const firstAddr = 10

// Addr returns the address of a host, without a port.
func (l *LAN) Addr(i int) string { return fmt.Sprintf("%s.%d", l.subnet, firstAddr+place(i)) }

// Command returns a command that runs on a host.
func (l *LAN) Command(i int, program string, args ...string) *exec.Cmd {
	return exec.Command("ip", append([]string{"netns", "exec", l.space(i), program}, args...)...)
}

// Set changes the condition of the link from one host to another. What is on its way is
// not affected.
func (l *LAN) Set(from, to int, c Condition) { l.hub.links[place(from)][place(to)].set(c) }

// Close removes everything. Processes on the hosts should have ended.
func (l *LAN) Close() {
	for _, p := range l.ports {
		_ = p.Close() // its device goes with it
	}
	if l.hub != nil {
		l.hub.close()
	}
	for i := range l.hosts {
		_ = ip("netns del " + l.space(i)) // it may not have come that far
	}
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
