// Command webshop shows what Keepsake is for: a shop on two servers that share
// their visitors' carts. Stop one of the servers, and the carts are still there.
//
//	webshop [-config FILE] [-listen ADDR]              a balancer and two servers
//	webshop serve -listen ADDR -name NAME -config FILE one server alone
//
// Without -config, the servers keep the carts themselves, and copies of each other's.
// Beside this file lie configurations for other providers.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "webshop:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) > 0 && args[0] == "serve" {
		flags := flag.NewFlagSet("webshop serve", flag.ExitOnError)
		listen := flags.String("listen", "127.0.0.1:8081", "`address` to listen on")
		name := flags.String("name", "A", "the server's `name` on its pages")
		config := flags.String("config", "", "configuration `file`, XML or YAML")
		_ = flags.Parse(args[1:]) // ExitOnError
		return serve(ctx, *listen, *name, *config)
	}
	flags := flag.NewFlagSet("webshop", flag.ExitOnError)
	listen := flags.String("listen", "127.0.0.1:8080", "`address` of the balancer")
	config := flags.String("config", "", "configuration `file`, XML or YAML; peer.yaml beside the source if none is given")
	_ = flags.Parse(args) // ExitOnError
	return demonstrate(ctx, os.Stdout, *listen, *config)
}
