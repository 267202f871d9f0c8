// Command nemesis hurts a cluster of real processes and checks that it keeps its
// promises.
//
//	nemesis run -config conformance/nemesis/peer.yaml -servers 3 -duration 15m
//
// starts servers, lets clients use them, kills, pauses, restarts and cuts off what keeps
// the entries, and heals it again. It records what the clients saw, and checks:
//
//   - operations on one key are linearizable, outside of splits of the network;
//   - no acknowledged write is lost, and no acknowledged delete is undone;
//   - every call is answered by its deadline;
//   - every server is ready again after the fault, and at the end all servers have the
//     same entries.
//
// Its last line counts operations, faults and violations; a violation is printed with
// what happened to its key, and makes the exit status 1. The schedule of faults follows
// from the seed, though what the processes make of it does not.
//
// An outage is the time from a fault until each of many keys was once written and read
// again at a server that is not hurt itself. A call is refused if certainly nothing was
// changed, and unknown if it may have been done. The fault none is the control.
//
// Where the servers form a grid, faults hit the servers. With the provider hazelcast they
// hit the members of a cluster that the run starts: hazelcast.yaml. -compare makes a
// second run with another configuration and prints both in one table. Networks are cut
// only as root on Linux, in namespaces; what has to be left out is said.
//
//	nemesis serve -config FILE -listen ADDR
//
// is the application under test: one process that serves one cache over HTTP. Its routes
// are listed at newHandler.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := command(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "nemesis:", err)
		os.Exit(1)
	}
}

var errUsage = errors.New("usage: nemesis serve|run -config FILE …; see nemesis run -h")

func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("nemesis "+args[0], flag.ContinueOnError)
	config := flags.String("config", "", "configuration `file` of the servers, XML or YAML")
	switch args[0] {
	case "serve":
		listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		return serve(ctx, *config, *listen, out)
	case "run":
		plan := plan{}
		flags.IntVar(&plan.servers, "servers", 3, "how many servers there are")
		flags.IntVar(&plan.kept, "keys", 2000, "how many acknowledged keys must be kept")
		flags.DurationVar(&plan.duration, "duration", time.Minute, "how long faults are begun")
		flags.Uint64Var(&plan.seed, "seed", rand.Uint64N(1_000_000), "what the schedule follows from")
		faults := flags.String("faults", "all", "comma-separated `list` of "+strings.Join(faultNames(), ", "))
		compare := flags.String("compare", "", "configuration `file` of a second run, to compare with the first")
		if err := flags.Parse(args[1:]); err != nil {
			return err
		}
		plan.config, plan.out = *config, out
		var err error
		if plan.faults, err = parseFaults(*faults); err != nil {
			return err
		}
		return run(ctx, plan, *compare)
	}
	return errUsage
}

var errViolations = errors.New("promises were broken")

// run makes one run, or two and compares them.
func run(ctx context.Context, first plan, compare string) error {
	plans := []plan{first}
	if compare != "" {
		second := first
		second.config = compare
		plans = append(plans, second)
	}
	var reports []*report
	violations := 0
	for _, p := range plans {
		rep, err := p.run(ctx)
		if rep != nil {
			rep.summary(p.out)
			reports = append(reports, rep)
			violations += len(rep.violations)
		}
		if err != nil {
			return err
		}
	}
	if compare != "" {
		writeTable(first.out, reports)
	}
	total := &report{}
	for _, rep := range reports {
		total.add(rep)
	}
	fmt.Fprintln(first.out, total)
	if violations > 0 {
		return errViolations
	}
	return nil
}
