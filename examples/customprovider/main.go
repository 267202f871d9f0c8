// Command customprovider shows how a provider outside the tree is written: provider.go is
// all of it, and main_test.go proves it with the conformance suite. The program is the
// command keepsake with this provider besides the others:
//
//	go run ./examples/customprovider check examples/customprovider/tiny.yaml
//	go run ./examples/customprovider conformance --config examples/customprovider/tiny.yaml
//	go run ./examples/customprovider schema
package main

import (
	"os"

	"github.com/keepsake-cache/keepsake/command"
	_ "github.com/keepsake-cache/keepsake/providers" // the providers that it knows besides
)

func main() { os.Exit(command.Main(os.Args)) }
