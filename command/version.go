package command

import (
	"fmt"
	"runtime"

	"github.com/keepsake-cache/keepsake/internal/version"
)

type versionCommand struct{}

// Run prints what a report of a fault should say.
func (versionCommand) Run(out streams) error {
	_, err := fmt.Fprintf(out.out, "keepsake %s, %s, %s/%s\n", version.Module(), runtime.Version(), runtime.GOOS, runtime.GOARCH)
	return err
}
