package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The rows of the provider itself have a name that no cache has.
const (
	ownRows   = "@"
	schemaRow = "schema"
	outboxRow = "outbox" // what is needed to watch is there
	reaperRow = "reaper"

	schemaVersion = 1
)

// Schema returns the statements that create the tables, for who may not let programs do that. The
// dialect is postgres, mysql or sqlite; the table's name may be empty, or have that of its schema in
// front. On PostgreSQL, unlogged tables are faster to write, and empty after a crash of the database.
func Schema(dialect, tableName string, unlogged bool) (string, error) {
	d := dialects[dialect]
	if d == nil {
		return "", fmt.Errorf("dialect: %q is none of postgres, mysql and sqlite", dialect)
	}
	if tableName == "" {
		tableName = defaultTable
	}
	if err := checkTable(tableName); err != nil {
		return "", fmt.Errorf("tableName: %w", err)
	}
	if unlogged && d != &postgres {
		return "", errors.New("unlogged: only PostgreSQL has such tables")
	}
	return strings.Join(d.statements(tableName).creation(slices.Concat(d.tables, d.outbox), unlogged), ";\n") + ";\n", nil
}

// creation returns the statements that create tables.
func (s *statements) creation(tables []string, unlogged bool) []string {
	kind := ""
	if unlogged {
		kind = " UNLOGGED"
	}
	texts := make([]string, len(tables))
	for i, text := range tables {
		texts[i] = s.text(strings.ReplaceAll(text, "{unlogged}", kind))
	}
	return texts
}

// prepare looks whether the tables are there and of the right version, and creates them if asked.
func (p *Provider) prepare(ctx context.Context) error {
	present, outbox, err := p.tablesPresent(ctx)
	if err == nil && !present && p.opts.CreateTables {
		if err = p.create(ctx, p.statements.tables); err == nil {
			present, outbox, err = p.tablesPresent(ctx)
		}
	}
	if err == nil && !present {
		return p.named(ctx, fmt.Errorf("%w: %s", driver.ErrMisconfigured, noTable))
	}
	if err == nil && !outbox && p.opts.CreateTables {
		err = p.create(ctx, p.statements.outbox)
		outbox = err == nil
		if errors.Is(err, driver.ErrMisconfigured) { // everything else can be done
			p.opts.Logger.Warn("sql: changes cannot be watched; create what keepsake sql-schema prints", "database", p.opts.name, "error", err)
			err = nil
		}
	}
	p.watchable = outbox
	return err
}

// create carries out the statements that create tables. Another process may do so at the same time.
func (p *Provider) create(ctx context.Context, tables []string) error {
	for _, text := range p.statements.creation(tables, p.opts.Unlogged) {
		err := p.call(ctx, p.writes, true, func(ctx context.Context, c *stdsql.Conn) error {
			_, err := c.ExecContext(ctx, text)
			if code := p.driver.Code(err); code != "" && slices.Contains(strings.Fields(p.statements.there), code) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// tablesPresent looks for the rows that say what is there.
func (p *Provider) tablesPresent(ctx context.Context) (present, outbox bool, err error) {
	versions := make(map[string]int64)
	err = p.read(ctx, func(ctx context.Context, c *stdsql.Conn) error {
		clear(versions)
		rows, err := c.QueryContext(ctx, p.statements.version, ownRows, []byte(schemaRow), []byte(outboxRow))
		if err != nil {
			if p.driver.Code(err) == p.statements.missing {
				return nil
			}
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var entry []byte
			var version int64
			if err := rows.Scan(&entry, &version); err != nil {
				return err
			}
			versions[string(entry)] = version
		}
		return rows.Err()
	})
	if version := versions[schemaRow]; err == nil && version > schemaVersion {
		return false, false, p.named(ctx, fmt.Errorf("%w: the table has version %d, and this program knows up to %d; use a later one, or another tableName",
			driver.ErrMisconfigured, version, schemaVersion))
	}
	return versions[schemaRow] > 0, versions[outboxRow] == 1, err
}
