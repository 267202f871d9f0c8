package sql

import (
	"context"
	"crypto/tls"
	stdsql "database/sql/driver"
	"net"
	"sync"
	"time"
)

// A Driver is what the provider must know of a database's client library. Packages postgres, mysql
// and sqlite below this one register theirs when they are linked, so that a program has only the
// client that it needs.
type Driver struct {
	// Dialect is one of the dialects: postgres, mysql or sqlite.
	Dialect string
	// Connector checks an address and prepares to connect to it; it connects to nothing. Its
	// error shows no part of the address.
	Connector func(a Address) (stdsql.Connector, error)
	// Code returns what the database calls an error that it answered, or nothing if the error is
	// no answer.
	Code func(err error) string
}

// An Address says how connections are made.
type Address struct {
	// URL is the address of the database as it was given.
	URL string
	// User and Password are used instead of those of URL, unless they are empty.
	User, Password string
	// TLS is for databases that are told so by settings instead of by their address; or nil.
	TLS *tls.Config
	// ConnectTimeout bounds how long it takes to connect.
	ConnectTimeout time.Duration
	// Dial makes every connection, if the database is reached by a network.
	Dial func(ctx context.Context, network, addr string) (net.Conn, error)
	// Unprepared is set where connections are shared by several clients in turn, so that no
	// prepared statement may be left on one.
	Unprepared bool
}

var drivers struct {
	sync.RWMutex
	of map[string]Driver
}

// RegisterDriver makes a client library known. It is called when packages are initialised; the
// last one for a dialect holds.
func RegisterDriver(d Driver) {
	drivers.Lock()
	defer drivers.Unlock()
	if dialects[d.Dialect] == nil || d.Connector == nil || d.Code == nil {
		panic("sql: a driver needs a known dialect and both of its functions")
	}
	if drivers.of == nil {
		drivers.of = make(map[string]Driver)
	}
	drivers.of[d.Dialect] = d
}

func driverOf(dialect string) (Driver, bool) {
	drivers.RLock()
	defer drivers.RUnlock()
	d, ok := drivers.of[dialect]
	return d, ok
}
