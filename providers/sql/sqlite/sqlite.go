// Package sqlite links SQLite, modernc.org/sqlite, into a program, so that provider sql can use
// it:
//
//	import _ "github.com/keepsake-cache/keepsake/providers/sql/sqlite"
package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"modernc.org/sqlite"

	"github.com/keepsake-cache/keepsake/providers/sql"
)

func init() {
	sql.RegisterDriver(sql.Driver{Dialect: "sqlite", Connector: connect, Code: code})
}

// pragmas hold unless the URL says otherwise. The provider waits by itself for other
// processes that write. A commit is on the disk when it returns.
var pragmas = []string{"busy_timeout(20)", "journal_mode(wal)", "synchronous(full)"}

type connector struct {
	driver *sqlite.Driver
	dsn    string
}

// connect opens the file that the URL names.
func connect(a sql.Address) (driver.Connector, error) {
	address := a.URL
	for _, scheme := range []string{"sqlite:", "file:"} {
		address = strings.TrimPrefix(address, scheme)
	}
	file, query, _ := strings.Cut(address, "?")
	file = strings.TrimPrefix(file, "//")
	values, err := url.ParseQuery(query)
	switch {
	case err != nil, file == "":
		return nil, errors.New("is no address of SQLite: sqlite:file, and after a ? what modernc.org/sqlite knows")
	case strings.Contains(file, ":memory:"), values.Get("mode") == "memory":
		return nil, errors.New("is a database in memory, which each connection has for itself; provider memory is for one process")
	}
	for _, p := range slices.Backward(pragmas) {
		name, _, _ := strings.Cut(p, "(")
		if !slices.ContainsFunc(values["_pragma"], func(given string) bool { return strings.HasPrefix(strings.ToLower(given), name) }) {
			values["_pragma"] = append([]string{p}, values["_pragma"]...)
		}
	}
	return connector{&sqlite.Driver{}, "file:" + escaped.Replace(file) + "?" + values.Encode()}, nil
}

// escaped is a file's name within a URL.
var escaped = strings.NewReplacer("%", "%25", "?", "%3f", "#", "%23")

// Connect implements driver.Connector.
func (c connector) Connect(context.Context) (driver.Conn, error) { return c.driver.Open(c.dsn) }

// Driver implements driver.Connector.
func (c connector) Driver() driver.Driver { return c.driver }

// code is the primary code of an error, of which the rest of it is a part.
func code(err error) string {
	var answered interface {
		error
		Code() int
	}
	if errors.As(err, &answered) {
		return strconv.Itoa(answered.Code() & 0xff)
	}
	return ""
}
