// Command grid measures the grid of peers beside its rivals, in one run on one machine:
//
//	go run ./grid [-time 700ms] [-rounds 3] [-only speed,local,handoff,growth,memory] [-against redis,...]
//	          [-cells "get, 100 B"] [-profile DIR]
//
// Every server, and everybody who asks one, is a process of its own. Figures are medians of
// -rounds rounds, in which the contenders take turns, so that a machine whose speed drifts
// treats them alike. The last table says which of the ratios that the grid promises hold.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"strings"
	"time"
)

// options of a run.
type options struct {
	time    time.Duration // of each measurement
	rounds  int
	against []string // parts of the contenders' names; empty: all
	part    string   // a part of the names of those that are measured; empty: all
	profile string   // where the peers' processes write profiles; empty: nowhere
}

// A section is a part of the run. It adds what it finds to the promises.
type section struct {
	name string
	run  func(ctx context.Context, o options, found *promises) error
}

var sections = []section{
	{"speed", speed},
	{"local", local},
	{"handoff", handOff},
	{"growth", growth},
	{"memory", memory},
}

func main() {
	var o options
	role := flag.String("role", "", "what a process that this program starts is")
	only := flag.String("only", "", "only these of the sections speed, local, handoff, growth and memory")
	against := flag.String("against", "", "only the contenders whose names contain one of these")
	flag.StringVar(&o.part, "cells", "", "only measurements of speed whose names contain this, as in \"get, 100 B\"")
	flag.DurationVar(&o.time, "time", 700*time.Millisecond, "how long each measurement of speed runs")
	flag.IntVar(&o.rounds, "rounds", 3, "how many measurements each figure is the median of")
	flag.StringVar(&o.profile, "profile", "", "directory for profiles of the peers' processes")
	flag.Parse()
	if *role != "" {
		serve(*role, flag.Arg(0))
		return
	}
	if *against != "" {
		o.against = strings.Split(*against, ",")
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Printf("%s %s/%s, %d processors, medians of %d rounds\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.NumCPU(), o.rounds)
	begin := time.Now()
	var found promises
	for _, s := range sections {
		if *only != "" && !strings.Contains(","+*only+",", ","+s.name+",") {
			continue
		}
		if err := s.run(ctx, o, &found); err != nil {
			fmt.Fprintf(os.Stderr, "grid: %s: %v\n", s.name, err)
			os.Exit(1)
		}
	}
	found.print(os.Stdout)
	fmt.Printf("\n%v in all\n", time.Since(begin).Round(time.Second))
}
