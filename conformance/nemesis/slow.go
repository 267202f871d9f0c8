package main

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// A slow host sends as much per second, and what does not fit into its queue is lost.
const (
	slowRate  = "400kbit"
	slowBurst = "16kb"
	slowQueue = "200ms"
)

// slow bounds what a host sends, until fast.
func (w *network) slow(i int) error {
	return w.tc(i, "qdisc add dev eth0 root tbf rate "+slowRate+" burst "+slowBurst+" latency "+slowQueue)
}

func (w *network) fast(i int) error { return w.tc(i, "qdisc del dev eth0 root") }

// tc runs tc on a host.
func (w *network) tc(i int, args string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "ip", append([]string{"netns", "exec", w.space(i), "tc"}, strings.Fields(args)...)...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("tc %s: %w: %s", args, err, out)
	}
	return nil
}

func needsSlowNetwork(r *runner) string {
	if missing := needsNetwork(r); missing != "" {
		return missing
	}
	if _, err := exec.LookPath("tc"); err != nil {
		return "there is no tc, which makes links slow"
	}
	return ""
}

func strikeSlow(_ context.Context, r *runner) (string, error) {
	i, d := r.rng.IntN(r.cluster.size()), r.between(2*time.Second, 6*time.Second)
	if err := r.fleet.network.slow(i); err != nil {
		return "", err
	}
	wait := r.measure()
	pauseFor(d)
	err := r.fleet.network.fast(i)
	wait()
	return fmt.Sprintf("%d sends no more than %s for %v", i, slowRate, d), err
}
