// Package command is the command keepsake without its providers: check, schema,
// conformance, secret, peer and version for whatever providers the program links.
//
//	package main
//
//	import (
//		"os"
//
//		"github.com/keepsake-cache/keepsake/command"
//		_ "example.com/etcd" // a provider, which registers itself
//	)
//
//	func main() { os.Exit(command.Main(os.Args)) }
//
// The command's own providers are linked by
//
//	import _ "github.com/keepsake-cache/keepsake/providers"
package command
