package command

import (
	"bytes"
	"fmt"

	"github.com/keepsake-cache/keepsake/configfile"
)

type checkCommand struct {
	Files []string `arg:"" name:"file" help:"Configuration files, XML or YAML."`
}

// Run prints the meaning of each file, as a YAML document, or its problems.
func (c *checkCommand) Run(to streams) error {
	var failed error
	written := 0
	for _, file := range c.Files {
		var text bytes.Buffer
		cfg, err := configfile.Load(file)
		if err == nil {
			err = cfg.Describe(&text)
		}
		if err != nil {
			fmt.Fprintln(to.err, err)
			failed = errReported
			continue
		}
		if written > 0 {
			fmt.Fprintln(to.out, "---")
		}
		fmt.Fprintf(to.out, "# %s\n%s", file, &text)
		written++
	}
	return failed
}
