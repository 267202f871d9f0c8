package node

import (
	"runtime/debug"
	"strings"
)

const module = "github.com/keepsake-cache/keepsake"

// version returns the version of this module in the program.
func version() string {
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
