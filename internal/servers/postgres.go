package servers

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"path/filepath"
	"slices"
)

// Postgres starts a PostgreSQL server on a free port. Settings such as fsync=off are given to it.
// As root, it is run as the user postgres, since it refuses to run as root.
func Postgres(ctx context.Context, settings ...string) (*Database, error) {
	return PostgresAt(ctx, "", settings...)
}

// PostgresAt is Postgres at a given address.
func PostgresAt(ctx context.Context, addr string, settings ...string) (*Database, error) {
	return postgres(ctx, addr, settings, func(bin, data string) *exec.Cmd {
		return exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", postgresUser, "-A", "trust", "-E", "UTF8", "--no-sync")
	})
}

// PostgresReplica starts a server that follows a PostgreSQL server, until it is promoted.
func PostgresReplica(ctx context.Context, primary *Database, settings ...string) (*Database, error) {
	host, port, err := net.SplitHostPort(primary.Addr)
	if err != nil {
		return nil, err
	}
	return postgres(ctx, "", settings, func(bin, data string) *exec.Cmd {
		return exec.Command(filepath.Join(bin, "pg_basebackup"), "-D", data, "-h", host, "-p", port, "-U", postgresUser,
			"--write-recovery-conf", "--checkpoint=fast", "--no-sync")
	})
}

const postgresUser = "postgres" // who may do everything

func postgres(ctx context.Context, addr string, settings []string, setup func(bin, data string) *exec.Cmd) (*Database, error) {
	bin, err := postgresPrograms()
	if err != nil {
		return nil, err
	}
	return database(ctx, "postgres", addr, func(dir, host, port string) (*exec.Cmd, *exec.Cmd, string) {
		data := filepath.Join(dir, "data")
		args := []string{"-D", data, "-h", host, "-p", port, "-k", dir}
		for _, s := range append([]string{"shared_buffers=32MB"}, settings...) {
			args = append(args, "-c", s)
		}
		return setup(bin, data), exec.Command(filepath.Join(bin, "postgres"), args...),
			fmt.Sprintf("postgres://%s@%s/postgres?sslmode=disable", postgresUser, net.JoinHostPort(host, port))
	}, func(host, port string) error { // it listens before it answers
		return exec.Command(filepath.Join(bin, "pg_isready"), "-q", "-h", host, "-p", port).Run()
	})
}

// postgresPrograms is the directory of the newest PostgreSQL that is installed. Debian keeps its
// programs out of the way.
func postgresPrograms() (string, error) {
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb") // the pattern is right
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found)), nil
	}
	path, err := lookProgram("initdb", installPrefix()+"apt-get install -y postgresql")
	return filepath.Dir(path), err
}

// PgBouncer starts a pooler in front of a PostgreSQL server, which gives a client a connection of its
// own for as long as a transaction takes.
func PgBouncer(ctx context.Context, server *Database) (*Database, error) {
	path, err := lookProgram("pgbouncer", installPrefix()+"apt-get install -y pgbouncer")
	if err != nil {
		return nil, err
	}
	host, port, err := net.SplitHostPort(server.Addr)
	if err != nil {
		return nil, err
	}
	return database(ctx, "postgres", "", func(dir, ownHost, ownPort string) (*exec.Cmd, *exec.Cmd, string) {
		file := filepath.Join(dir, "pgbouncer.ini")
		config := fmt.Sprintf("[databases]\n* = host=%s port=%s user=%s\n[pgbouncer]\nlisten_addr = %s\nlisten_port = %s\nauth_type = any\n"+
			"pool_mode = transaction\ndefault_pool_size = 4\nmax_client_conn = 1000\nunix_socket_dir = \n", host, port, postgresUser, ownHost, ownPort)
		return exec.Command("sh", "-c", `printf %s "$1" > "$2"`, "sh", config, file), exec.Command(path, file),
			fmt.Sprintf("postgres://%s@%s/postgres?sslmode=disable", postgresUser, net.JoinHostPort(ownHost, ownPort))
	}, nil)
}
