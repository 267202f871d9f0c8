package sql

import (
	"context"
	stddriver "database/sql/driver"
	"net"
	"net/url"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// schemes are what a URL begins with, and the dialects that they mean.
var schemes = map[string]string{
	"postgres": "postgres", "postgresql": "postgres",
	"mysql": "mysql", "mariadb": "mysql",
	"sqlite": "sqlite", "file": "sqlite",
}

// resolve finds out the dialect, and a name of the database without secrets.
func (o Options) resolve() (Options, error) {
	scheme, rest, _ := strings.Cut(o.URL, ":")
	implied := schemes[strings.ToLower(scheme)]
	switch {
	case o.DB != nil && o.Dialect == "":
		return o, setting.Problemf("dialect", "is needed with DB: postgres, mysql or sqlite")
	case o.DB == nil && o.Dialect == "" && implied == "":
		return o, setting.Problemf("url", "must begin with postgres://, mysql:// or sqlite:; or dialect must be given")
	case o.Dialect == "":
		o.Dialect = implied
	case implied != "" && implied != o.Dialect:
		return o, setting.Problemf("dialect", "is %s, and url is the address of another kind of database", o.Dialect)
	}
	if _, ok := driverOf(o.Dialect); !ok {
		return o, setting.Problemf("url", "this program has no client for it; a Go program imports providers/sql/%s", o.Dialect)
	}
	o.name = o.Dialect
	switch {
	case o.Unlogged && o.Dialect != "postgres":
		return o, setting.Problemf("unlogged", "only PostgreSQL has such tables")
	case o.Dialect == "sqlite":
		if o.User != "" || o.Password != "" || o.TLS != nil {
			return o, setting.Problemf("url", "is a file, which has no user, password or tls")
		}
		file, _, _ := strings.Cut(rest, "?")
		o.name = strings.TrimPrefix(file, "//")
	case implied != "":
		if u, err := url.Parse(o.URL); err == nil && u.Host != "" {
			o.name = u.Host + u.Path
		}
	}
	return o, nil
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
