// Package mysql links the client for MariaDB and MySQL, github.com/go-sql-driver/mysql, into a
// program, so that provider sql can use it:
//
//	import _ "github.com/keepsake-cache/keepsake/providers/sql/mysql"
package mysql

import (
	"context"
	"database/sql/driver"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/go-sql-driver/mysql"

	"github.com/keepsake-cache/keepsake/providers/sql"
)

func init() {
	sql.RegisterDriver(sql.Driver{Dialect: "mysql", Connector: connect, Code: code})
}

var errAddress = errors.New("is no address of MariaDB or MySQL: mysql://user@host:port/database, and after a ? what go-sql-driver/mysql knows")

// connect makes connections as the URL says, and the settings of a.
func connect(a sql.Address) (driver.Connector, error) {
	c, err := mysql.ParseDSN(native(a.URL))
	if err != nil {
		return nil, errAddress
	}
	if a.User != "" {
		c.User = a.User
	}
	if a.Password != "" {
		c.Passwd = a.Password
	}
	if a.TLS != nil {
		c.TLS = a.TLS
		if c.TLS.ServerName == "" {
			c.TLS = a.TLS.Clone()
			c.TLS.ServerName, _, _ = net.SplitHostPort(c.Addr)
		}
	}
	c.DialFunc = a.Dial
	c.Timeout = a.ConnectTimeout
	c.InterpolateParams = true // one round trip instead of three
	c.Logger = silent{}
	inner, err := mysql.NewConnector(c)
	if err != nil {
		return nil, errAddress
	}
	return connector{inner}, nil
}

// native turns a URL into what the client takes. Anything else it leaves to the client.
func native(address string) string {
	scheme, rest, ok := strings.Cut(address, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "mysql" && scheme != "mariadb" {
		return address
	}
	u, err := url.Parse("mysql://" + rest)
	if err != nil {
		return ""
	}
	c := mysql.NewConfig()
	c.User = u.User.Username()
	c.Passwd, _ = u.User.Password()
	c.Net, c.Addr = "tcp", u.Host
	if u.Port() == "" {
		c.Addr = net.JoinHostPort(u.Hostname(), strconv.Itoa(3306))
	}
	c.DBName = strings.TrimPrefix(u.Path, "/")
	dsn := c.FormatDSN()
	if u.RawQuery != "" {
		join := "?"
		if strings.Contains(dsn, "?") {
			join = "&"
		}
		dsn += join + u.RawQuery
	}
	return dsn
}

// A connector makes connections whose statements lock nothing but the rows that they change.
type connector struct{ driver.Connector }

// Connect implements driver.Connector.
func (c connector) Connect(ctx context.Context) (driver.Conn, error) {
	conn, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.(driver.ExecerContext).ExecContext(ctx, "SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED", nil); err != nil {
		_ = conn.Close() // err says what is wrong
		return nil, err
	}
	return conn, nil
}

// silent drops what the client would log beside the errors that it returns.
type silent struct{}

func (silent) Print(...any) {}

// code is the number of an error that the database answered.
func code(err error) string {
	var answered *mysql.MySQLError
	if errors.As(err, &answered) {
		return strconv.Itoa(int(answered.Number))
	}
	return ""
}
