package sql

import (
	"cmp"
	"context"
	stddriver "database/sql/driver"
	"net"
	"regexp"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// schemes are what a URL begins with, and the dialects that they mean.
var schemes = map[string]string{
	"postgres://": "postgres", "postgresql://": "postgres",
	"mysql://": "mysql", "mariadb://": "mysql",
	"sqlite:": "sqlite", "file:": "sqlite",
}

// implied returns the dialect that a URL begins with, and what follows.
func implied(address string) (dialect, rest string) {
	for scheme, dialect := range schemes {
		if len(address) >= len(scheme) && strings.EqualFold(address[:len(scheme)], scheme) {
			return dialect, address[len(scheme):]
		}
	}
	return "", address
}

// resolve finds out the dialect, and a name of the database without secrets.
func (o Options) resolve() (Options, error) {
	dialect, rest := implied(o.URL)
	switch {
	case o.DB != nil && o.Dialect == "":
		return o, setting.Problemf("dialect", "is needed with DB: postgres, mysql or sqlite")
	case o.DB == nil && o.Dialect == "" && dialect == "":
		return o, setting.Problemf("url", "must begin with postgres://, mysql:// or sqlite:; or dialect must be given")
	case o.Dialect == "":
		o.Dialect = dialect
	case dialect != "" && dialect != o.Dialect:
		return o, setting.Problemf("dialect", "is %s, and url is the address of another kind of database", o.Dialect)
	}
	if _, ok := driverOf(o.Dialect); !ok {
		return o, setting.Problemf("url", "this program has no client for it; a Go program imports providers/sql/%s", o.Dialect)
	}
	o.name = o.Dialect
	switch {
	case o.Unlogged && o.Dialect != "postgres":
		return o, setting.Problemf("unlogged", "only PostgreSQL has such tables")
	case o.Dialect != "sqlite":
		if dialect != "" {
			o.name = cmp.Or(hostsIn(rest), o.Dialect)
		}
		return o, nil
	case o.User != "" || o.Password != "" || o.TLS != nil:
		return o, setting.Problemf("url", "is a file, which has no user, password or tls")
	case strings.Contains(o.TableName, "."):
		return o, setting.Problemf("tableName", "has a dot in it, and SQLite has no schemas")
	}
	if file, _, _ := strings.Cut(rest, "?"); file != "" {
		o.name = strings.TrimPrefix(file, "//")
	}
	return o, nil
}

// hosts takes one or more of them, with their ports and the name of the database.
var hosts = regexp.MustCompile(`^([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?(,([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]+)?)*(/[A-Za-z0-9._-]*)?$`)

// hostsIn returns the hosts and the database of a URL; or nothing, rather than what may be a part of
// its password.
func hostsIn(rest string) string {
	before, query, _ := strings.Cut(rest, "?")
	name := before[strings.LastIndexByte(before, '@')+1:]
	if strings.Contains(query, "@") || !hosts.MatchString(name) {
		return ""
	}
	return name
}

// connector prepares to connect to the database, and connects to nothing.
func (o Options) connector(dial func(context.Context, string, string) (net.Conn, error)) (stddriver.Connector, error) {
	d, _ := driverOf(o.Dialect)
	c, err := d.Connector(Address{
		URL: o.URL, User: o.User, Password: o.Password, TLS: o.TLS, ConnectTimeout: o.ConnectTimeout, Dial: dial, Unprepared: o.Unprepared,
	})
	if err != nil {
		return nil, setting.Problemf("url", "%s", err.Error())
	}
	return c, nil
}
