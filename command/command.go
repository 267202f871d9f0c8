package command

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/alecthomas/kong"
)

type commands struct {
	Check       checkCommand       `cmd:"" help:"Print what configuration files mean, defaults included, or what is wrong with them."`
	Schema      schemaCommand      `cmd:"" help:"Print a schema of the configuration file, for editors."`
	SQLSchema   sqlSchemaCommand   `cmd:"" name:"sql-schema" help:"Print the statements that create the table of provider sql, for who may not let programs do that."`
	Conformance conformanceCommand `cmd:"" help:"Run the conformance suite on the provider that a configuration file chooses."`
	Secret      secretCommand      `cmd:"" help:"Print a new secret for the members of a grid."`
	Peer        peerCommands       `cmd:"" help:"Keep records for the other members of a grid, without an application; or tell them whom to wait for no longer."`
	Version     versionCommand     `cmd:"" help:"Print the version of this module and of Go."`
}

// streams are where a command writes: results and problems.
type streams struct{ out, err io.Writer }

// errReported ends a command whose problems have been written already.
var errReported = errors.New("problems were reported")

// Main runs a command line, os.Args say, until it is done or the process is told to end
// by SIGINT or SIGTERM. It returns the exit status: 0 if all is well, 1 if a file or a
// provider is not, and 2 if the command line makes no sense.
func Main(args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return run(ctx, args, os.Stdout, os.Stderr)
}

// run runs a command line that begins with the program's name.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	program := "keepsake"
	if len(args) > 0 {
		program, args = filepath.Base(args[0]), args[1:]
	}
	status, exited := 0, false
	parser, err := kong.New(&commands{},
		kong.Name(program),
		kong.Description("Sessions that outlive your servers."),
		kong.Writers(stdout, stderr),
		kong.Exit(func(code int) { status, exited = code, true }), // after --help
		kong.BindTo(ctx, (*context.Context)(nil)),
		kong.Bind(streams{stdout, stderr}),
	)
	if err != nil {
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
		return 2
	}
	line, err := parser.Parse(twoDashes(args))
	switch {
	case exited:
		return status
	case err != nil:
		fmt.Fprintf(stderr, "%s: %v; see %s --help\n", program, err, program)
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
