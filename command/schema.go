package command

import (
	"fmt"

	"github.com/keepsake-cache/keepsake/configfile"
)

type schemaCommand struct {
	Format string `enum:"json,xsd,markdown" default:"json" help:"json for YAML files, xsd for XML files, markdown for people."`
}

// Run prints the schema.
func (c *schemaCommand) Run(to streams) error {
	generate := configfile.JSONSchema
	switch c.Format {
	case "xsd":
		generate = configfile.XSD
	case "markdown":
		generate = func() ([]byte, error) { return configfile.Markdown(), nil }
	}
	schema, err := generate()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to.out, "%s\n", schema)
	return err
}
