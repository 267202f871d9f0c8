// Package version knows of which version this module is.
package version

import (
	"runtime/debug"
	"strings"
)

const module = "github.com/keepsake-cache/keepsake"

// Module returns the version of this module in the program: a release, v0.0.0 with the time and
// the hash of a commit, or (devel).
func Module() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, dep := range append(info.Deps, &info.Main) {
		if dep.Path == module || strings.HasPrefix(dep.Path, module+"/") {
			return dep.Version
		}
	}
	return "unknown"
}
