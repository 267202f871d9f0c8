// Command keepsake checks configuration files, prints their schemas, runs the
// conformance suite on a provider, makes secrets, and takes part in a grid of peers.
//
//	keepsake check FILE...                                what configuration files mean, or what is wrong with them
//	keepsake schema [--format json|xsd|markdown]          a schema of the file, for editors, or a reference
//	keepsake sql-schema --dialect postgres|mysql|sqlite   the statements that create the table of provider sql
//	keepsake conformance --config FILE [--manager ID] [--through SETTING]
//	                                                      whether the provider that the file chooses keeps its promises
//	keepsake secret                                       a new secret for the members of a grid
//	keepsake peer --config FILE [--metrics ADDR]          a member of a grid that only keeps records
//	keepsake peer forget --config FILE [ADDR...]          members that are gone for good, for whom others wait
//	keepsake version                                      the version of this module and of Go
//
// Flags may have one dash or two. The exit status is 0 if all is well, 1 if a file or a
// provider is not, and 2 if the command line makes no sense.
package main

import (
	"os"

	"github.com/keepsake-cache/keepsake/command"
	_ "github.com/keepsake-cache/keepsake/providers" // the providers that a file can choose
)

func main() { os.Exit(command.Main(os.Args)) }
