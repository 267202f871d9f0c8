package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"time"
)

// A Database is a server with a directory of its own, which it keeps when it is killed, so that
// it can be started again.
type Database struct {
	*Process
	// URL leads to an empty database, as a user that may do everything.
	URL string
	// Dir holds its files. Remove ends with it.
	Dir string

	start func(context.Context) (*Process, error)
}

// database makes the files of a server, and starts it. As root, it is run as user, which refuses to run as
// root. It is ready when it takes connections and ready, unless it is nil, is no error. An empty address is a free one.
func database(ctx context.Context, user, addr string, commands func(dir, host, port string) (setup, serve *exec.Cmd, url string), ready func(host, port string) error) (*Database, error) {
	if addr == "" {
		var err error
		if addr, err = FreeAddr(); err != nil {
			return nil, err
		}
	}
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "keepsake-"+user)
	if err != nil {
		return nil, err
	}
	d := &Database{Dir: dir}
	d.start = func(ctx context.Context) (*Process, error) {
		_, serve, _ := commands(dir, host, port)
		if err := runAs(serve, user, dir); err != nil {
			return nil, err
		}
		p, err := startListening(ctx, serve, addr)
		if err == nil && ready != nil {
			if err = p.await(ctx, func() error { return ready(host, port) }); err != nil {
				p.Kill()
			}
		}
		return p, err
	}
	setup, _, url := commands(dir, host, port)
	d.URL = url
	if err = runAs(setup, user, dir); err == nil {
		var output []byte
		if output, err = setup.CombinedOutput(); err != nil {
			err = fmt.Errorf("%s: %w; it printed:\n%s", setup.Path, err, output)
		}
	}
	if err == nil {
		d.Process, err = d.start(ctx)
	}
	if err != nil {
		_ = os.RemoveAll(dir) // err says what is wrong
		return nil, err
	}
	return d, nil
}

// Restart starts a database again that has ended, at the same address. One that was killed leaves
// processes behind for a moment, which are waited for.
func (d *Database) Restart(ctx context.Context) error {
	for {
		p, err := d.start(ctx)
		if err == nil {
			d.Process = p
			return nil
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
			return err
		}
	}
}

// Remove ends the database and removes its files.
func (d *Database) Remove() {
	d.Kill()
	_ = os.RemoveAll(d.Dir) // a temporary directory
}

// MariaDB starts a MariaDB server on a free port. Further arguments are appended to its command
// line. As root, it is run as the user mysql.
func MariaDB(ctx context.Context, args ...string) (*Database, error) {
	for _, name := range []string{"mariadb-install-db", "mariadbd"} {
		if _, err := lookProgram(name, installPrefix()+"apt-get install -y mariadb-server"); err != nil {
			return nil, err
		}
	}
	return database(ctx, "mysql", "", func(dir, host, port string) (setup, serve *exec.Cmd, url string) {
		data := "--datadir=" + filepath.Join(dir, "data")
		return exec.Command("mariadb-install-db", "--no-defaults", data, "--auth-root-authentication-method=normal"),
			exec.Command("mariadbd", append([]string{"--no-defaults", data, "--bind-address=" + host, "--port=" + port,
				"--socket=" + filepath.Join(dir, "s"), "--innodb-buffer-pool-size=32M"}, args...)...),
			fmt.Sprintf("mysql://root@%s/test", net.JoinHostPort(host, port))
	}, nil)
}
