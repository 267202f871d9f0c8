// Package postgres links the client for PostgreSQL, github.com/jackc/pgx, into a program, so that
// provider sql can use it:
//
//	import _ "github.com/keepsake-cache/keepsake/providers/sql/postgres"
package postgres

import (
	"database/sql/driver"
	"errors"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/keepsake-cache/keepsake/providers/sql"
)

func init() {
	sql.RegisterDriver(sql.Driver{Dialect: "postgres", Connector: connector, Code: code})
}

// connector makes connections as the URL says, and the settings of a.
func connector(a sql.Address) (driver.Connector, error) {
	c, err := pgx.ParseConfig(a.URL)
	if err != nil {
		return nil, errors.New("is no address of PostgreSQL: postgres://user@host:port/database, and after a ? what pgx and libpq know")
	}
	if a.User != "" {
		c.User = a.User
	}
	if a.Password != "" {
		c.Password = a.Password
	}
	if a.TLS != nil {
		c.TLSConfig = a.TLS.Clone()
		if c.TLSConfig.ServerName == "" {
			c.TLSConfig.ServerName = c.Host
		}
		c.Fallbacks = nil
	}
	c.ConnectTimeout = a.ConnectTimeout
	c.DialFunc = a.Dial
	if a.Unprepared {
		c.DefaultQueryExecMode = pgx.QueryExecModeExec
	}
	return stdlib.GetConnector(*c), nil
}

// code is the SQLSTATE of an error, whichever client it comes from.
func code(err error) string {
	var answered interface{ SQLState() string }
	if errors.As(err, &answered) {
		return answered.SQLState()
	}
	return ""
}
