package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/alecthomas/kong"
)

type commands struct {
	Check       checkCommand       `cmd:"" help:"Print what configuration files mean, defaults included, or what is wrong with them."`
	Schema      schemaCommand      `cmd:"" help:"Print a schema of the configuration file, for editors."`
	Conformance conformanceCommand `cmd:"" help:"Run the conformance suite on the provider that a configuration file chooses."`
	Peer        peerCommand        `cmd:"" help:"Keep records for the other members of a grid, without an application."`
}

// streams are where a command writes: results and problems.
type streams struct{ out, err io.Writer }

// errReported ends a command whose problems have been written already.
var errReported = errors.New("problems were reported")

// run runs a command line and returns the exit status.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	status, exited := 0, false
	parser, err := kong.New(&commands{},
		kong.Name("keepsake"),
		kong.Description("Sessions that outlive your servers."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { status, exited = code, true }), // after --help
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams{stdout, stderr}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "keepsake:", err)
		return 2
	}
	line, err := parser.Parse(twoDashes(args))
	switch {
	case exited:
		return status
	case err != nil:
		fmt.Fprintf(stderr, "keepsake: %v; see keepsake --help\n", err)
		return 2
	}
	if err := line.Run(); err != nil {
		if !errors.Is(err, errReported) {
			fmt.Fprintln(stderr, err)
		}
		return 1
	}
	return 0
}

// twoDashes spells long flags with two dashes, since Go's own tools take one as well.
func twoDashes(args []string) []string {
	spelt := make([]string, len(args))
	for i, arg := range args {
		if arg == "--" {
			copy(spelt[i:], args[i:])
			break
		}
		if len(arg) > 2 && arg[0] == '-' && !strings.HasPrefix(arg, "--") {
			arg = "-" + arg
		}
		spelt[i] = arg
	}
	return spelt
}
