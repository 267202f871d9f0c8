package command

import (
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type sqlSchemaCommand struct {
	Dialect   string `enum:"postgres,mysql,sqlite" required:"" help:"postgres, mysql (MariaDB, too) or sqlite."`
	TableName string `default:"keepsake" help:"Name of the table, with that of its schema in front or without."`
	Unlogged  bool   `help:"A PostgreSQL table that is faster to write, and empty after a crash of the database."`
}

// Run prints the statements that create the table of provider sql.
func (c *sqlSchemaCommand) Run(to streams) error {
	d, err := jcache.Definition("sql")
	if err != nil {
		return err
	}
	given := map[string]any{"url": c.Dialect + ":database", "dialect": c.Dialect, "tableName": c.TableName}
	if c.Unlogged {
		given["unlogged"], given["createTables"] = true, true
	}
	values, err := driver.NewValues(d.Settings, given)
	if err != nil {
		return err
	}
	text, err := d.Prepare(driver.Config{Values: values})
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(to.out, text)
	return err
}
