package main

import (
	"fmt"

	"github.com/keepsake-cache/keepsake/configfile"
)

type schemaCommand struct {
	Format string `enum:"json,xsd" default:"json" help:"json for YAML files, xsd for XML files."`
}

// Run prints the schema.
func (c *schemaCommand) Run(to streams) error {
	generate := configfile.JSONSchema
	if c.Format == "xsd" {
		generate = configfile.XSD
	}
	schema, err := generate()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(to.out, "%s\n", schema)
	return err
}
