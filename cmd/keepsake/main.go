// Command keepsake checks configuration files, prints their schemas, and runs the
// conformance suite on a provider.
//
//	keepsake check FILE...                                what configuration files mean, or what is wrong with them
//	keepsake schema [--format json|xsd]                   a schema of the file, for editors
//	keepsake conformance --config FILE [--manager ID]     whether the provider that the file chooses keeps its promises
//
// Flags may have one dash or two. The exit status is 0 if all is well, 1 if a file or a
// provider is not, and 2 if the command line makes no sense.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	_ "github.com/keepsake-cache/keepsake/providers" // the providers that a file can choose
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdout, os.Stderr))
}
