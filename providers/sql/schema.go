package sql

import (
	"context"
	stdsql "database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The rows of the provider itself have a name that no cache has.
const (
	ownRows   = "@"
	schemaRow = "schema"
	reaperRow = "reaper"

	schemaVersion = 1
)

// Schema returns the statements that create a table, for who may not let programs do that. The
// dialect is postgres, mysql or sqlite; the table's name may be empty, or have that of its schema in
// front. On PostgreSQL, an unlogged table is faster to write, and empty after a crash of the database.
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
	return strings.Join(d.statements(tableName).creation(unlogged), ";\n") + ";\n", nil
}

// creation returns the statements that create the table.
func (s *statements) creation(unlogged bool) []string {
	kind := ""
	if unlogged {
		kind = " UNLOGGED"
	}
	texts := make([]string, len(s.tables))
	for i, text := range s.tables {
		texts[i] = s.text(strings.ReplaceAll(text, "{unlogged}", kind))
	}
	return texts
}

// prepare looks whether the table is there and of the right version, and creates it if asked.
func (p *Provider) prepare(ctx context.Context) error {
	present, err := p.tablePresent(ctx)
	if err == nil && !present && p.opts.CreateTables {
		for _, text := range p.statements.creation(p.opts.Unlogged) {
			if _, err := p.write(ctx, text); err != nil {
				return err
			}
		}
		present, err = p.tablePresent(ctx)
	}
	if err == nil && !present {
		return p.named(ctx, fmt.Errorf("%w: %s", driver.ErrMisconfigured, noTable))
	}
	return err
}

func (p *Provider) tablePresent(ctx context.Context) (present bool, err error) {
	var version int64
	err = p.read(ctx, func(ctx context.Context, c *stdsql.Conn) error {
		err := c.QueryRowContext(ctx, p.statements.version, ownRows, []byte(schemaRow)).Scan(&version)
		if errors.Is(err, stdsql.ErrNoRows) || p.driver.Code(err) == p.statements.missing {
			version = 0
			return nil
		}
		return err
	})
	if err == nil && version > schemaVersion {
		return false, p.named(ctx, fmt.Errorf("%w: the table has version %d, and this program knows up to %d; use a later one, or another tableName",
			driver.ErrMisconfigured, version, schemaVersion))
	}
	return version > 0, err
}
