// Command bench compares Keepsake's sessions with those of other libraries, side by
// side in one run, and counts what they cost on real servers.
//
//	go run . [-time 1s] [-count 5] [-only micro|growth|servers|redis|sql]
//	go run . -only table -sessions 1000000 -time 10m
//
// The second one fills tables of databases with sessions, touches them for that long, and prints how the
// tables grow. It is no part of the others.
//
// Figures are medians of -count runs. The runs of the contenders alternate, so that
// a machine whose speed drifts treats them alike.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"runtime"
	"testing"
	"time"
)

func main() {
	duration := flag.Duration("time", 500*time.Millisecond, "how long each measurement runs")
	count := flag.Int("count", 5, "how many measurements each figure is the median of")
	only := flag.String("only", "", "only the part micro, growth, servers, redis or sql; or table")
	sessions := flag.Int("sessions", 1_000_000, "how many sessions are in a table")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	fmt.Printf("%s %s/%s, GOMAXPROCS %d, medians of %d runs of %v\n", runtime.Version(), runtime.GOOS, runtime.GOARCH, runtime.GOMAXPROCS(0), *count, *duration)
	testing.Init()
	err := flag.Set("test.benchtime", duration.String())
	if err == nil && (*only == "" || *only == "micro") {
		err = micro(os.Stdout, *count)
	}
	if err == nil && (*only == "" || *only == "growth") {
		err = growth(os.Stdout, *count)
	}
	if err == nil && (*only == "" || *only == "servers") {
		err = onServers(ctx, os.Stdout, *duration, *count)
	}
	if err == nil && (*only == "" || *only == "redis") {
		err = onRedis(ctx, os.Stdout, *duration, *count)
	}
	if err == nil && (*only == "" || *only == "sql") {
		err = onSQL(ctx, os.Stdout, *duration, *count)
	}
	if err == nil && *only == "table" {
		err = tables(ctx, os.Stdout, *sessions, *duration)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}
