// Command nemesis hurts a fleet of real processes and checks that it keeps its
// promises.
//
//	nemesis run -config internal/nemesis/peer.yaml -servers 3 -duration 15m
//
// starts servers, lets clients use them, hurts what keeps the entries, and heals it again:
// kill -9, SIGSTOP, good ends, one after the other or many at once, clocks that are wrong,
// memory that is full; cuts of the network in one direction and in two, short and long, one
// and eight in a row, links that come and go, lose packets, double them, delay them, or are
// slow. Meanwhile clients call everybody, or only the others of a member that nobody
// reaches: -callers. It records what the clients saw, and checks it. Its last line counts
// operations, faults and violations; a violation is printed with the seed and with what
// happened to its key, and makes the exit status 1. The schedule of faults, and which packets
// are lost, follow from the seed, though what the processes make of it does not.
//
// An outage is the time from a fault until each of many keys was once written and read
// again at a server that is not hurt itself. A call is refused if certainly nothing was
// changed, and unknown if it may have been done, or may be later. The fault none is the
// control.
//
// With -app PROGRAM the servers run that program, conformance/sessionapp, and the clients are
// visitors with carts, counters and logins whose requests go to any of the servers. No visitor
// may get another session unasked, none may lose an acknowledged change, no logout may be undone
// and no old id be alive after a renewal.
//
//	nemesis table -config internal/nemesis/peer.yaml
//
// tries one claim after the other, each on servers of its own: how many of so many entries
// are lost, deletes undone and old values back after two members were killed, one stood
// still for twenty seconds, or the network was split for thirty.
//
//	nemesis failover -config internal/nemesis/peer.yaml -runs 20
//
// measures the outages that the clients of the other servers see when a member is killed,
// frozen, cut off or restarted, and counts their errors: none is allowed for keys whose
// primary was not hurt, none at all when a member leaves and comes back in good order, no
// outage may last for half a minute, and no call longer than its deadline.
//
// Where the servers form a grid, faults hit the servers. With the provider hazelcast they
// hit the members of a cluster that the run starts: hazelcast.yaml. -compare makes a
// second run with another configuration and prints both in one table. Networks are hurt
// only as root on Linux, in namespaces behind a switch of this program; what has to be left
// out is said.
//
//	nemesis serve -config FILE -listen ADDR
//
// is the application under test: one process that serves one cache over HTTP. Its routes
// are listed at newHandler.
//
// # What is checked
//
//   - No acknowledged write is lost, and no acknowledged delete undone: the ledger, of keys
//     that one client each writes, during faults and after each; the table.
//   - No increment is lost, done twice, or not seen by who asks later: counters.
//   - One of several creators of an entry wins, and a compare-and-swap happens once:
//     histories of keys for which all clients compete are linearizable.
//   - Entries that expire are there until then, and not after: brief entries.
//   - Every call is answered by its deadline: every call.
//   - After each fault there is one cluster within twenty seconds, which stays so: every
//     server is ready and sees all others, one coordinates, nothing is held and nobody
//     merges. At the end all have the same entries, each of them in as many copies as it
//     should, no write waits for a copy, and no server has more goroutines and memory than
//     what it keeps needs.
//   - No server ends by itself, panics or has a data race, if it was built to find them.
//
// Nothing of this is left out while the network is cut. Only where both sides of a cut may
// go on and clients call both, from the beginning of the fault until there is one cluster
// again, an answer may lack what the other side has done since the fault began, and nothing
// else: what was acknowledged before is seen by everybody. Of an increment, what the lesser of
// two sides acknowledged may be lost for good, if a server counts a conflict. The writes of the
// ledger are all there afterwards.
//
// That at most one primary serves, and that copies never get fewer during planned changes,
// follows from the first and third only as far as somebody sees it; the simulation of the
// grid checks both in every step.
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

var errUsage = errors.New("usage: nemesis run|table|failover|serve -config FILE …; each explains its flags with -h")

func command(ctx context.Context, args []string, out io.Writer) error {
	if len(args) == 0 {
		return errUsage
	}
	flags := flag.NewFlagSet("nemesis "+args[0], flag.ContinueOnError)
	config := flags.String("config", "", "configuration `file` of the servers, XML or YAML")
	plan := plan{out: out, onSplit: "availability", callers: callMixed}
	flags.IntVar(&plan.replicas, "replicas", 1, "how many copies a grid, or a cluster, has of each entry besides the first")
	flags.Uint64Var(&plan.seed, "seed", rand.Uint64N(1_000_000), "what the schedule follows from")
	compare := ""
	comparable := func() {
		flags.StringVar(&compare, "compare", "", "configuration `file` of a second run, to compare with the first")
	}
	parse := func() error {
		err := flags.Parse(args[1:])
		plan.file = *config
		return err
	}
	switch args[0] {
	case "serve":
		listen := flags.String("listen", "127.0.0.1:0", "`address` to listen on")
		if err := parse(); err != nil {
			return err
		}
		return serve(ctx, plan.file, *listen, out)
	case "table":
		comparable()
		short := flags.Bool("short", false, "try with less")
		only := flags.String("only", "", "try only claims that contain this `text`")
		if err := parse(); err != nil {
			return err
		}
		s := fullSizes
		if *short {
			s = shortSizes
		}
		return table(ctx, plan, compare, *only, s)
	case "failover":
		comparable()
		flags.IntVar(&plan.servers, "servers", 3, "how many servers there are")
		trials := flags.Int("runs", 20, "how often each failure happens")
		if err := parse(); err != nil {
			return err
		}
		return failover(ctx, plan, compare, *trials)
	case "run":
		comparable()
		flags.IntVar(&plan.servers, "servers", 3, "how many servers there are")
		flags.IntVar(&plan.kept, "keys", 2000, "how many acknowledged keys must be kept")
		flags.DurationVar(&plan.duration, "duration", time.Minute, "how long faults are begun")
		flags.IntVar(&plan.limit, "rounds", 0, "how many faults are begun, if not 0, instead of for how long")
		flags.StringVar(&plan.onSplit, "on-split", "auto", "what the sides of a split do: auto, availability or consistency")
		flags.StringVar(&plan.app, "app", "", "the `program` conformance/sessionapp, if the servers are to keep sessions of visitors")
		flags.StringVar(&plan.callers, "callers", callMixed, "whom clients call while one member's links are hurt: all, only the others, or mixed")
		faults := flags.String("faults", "all", "all, network, or a comma-separated `list` of "+strings.Join(faultNames(), ", "))
		if err := parse(); err != nil {
			return err
		}
		var err error
		if plan.faults, err = parseFaults(*faults); err != nil {
			return err
		}
		return run(ctx, plan, compare)
	}
	return errUsage
}

var errViolations = errors.New("promises were broken")

// with returns a plan, and the same with another configuration if there is one.
func (p plan) with(compare string) []plan {
	if compare == "" {
		return []plan{p}
	}
	second := p
	second.file = compare
	return []plan{p, second}
}

// run makes one run, or two and compares them.
func run(ctx context.Context, first plan, compare string) error {
	plans := first.with(compare)
	var reports []*report
	violations := 0 // of the first one
	for n, p := range plans {
		rep, err := p.run(ctx)
		if rep != nil {
			rep.summary(p.out)
			reports = append(reports, rep)
			if n == 0 {
				violations = len(rep.violations)
			}
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
