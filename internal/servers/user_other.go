//go:build !unix

package servers

import "os/exec"

// runAs makes a command run in dir.
func runAs(cmd *exec.Cmd, _, dir string) error {
	cmd.Dir = dir
	return nil
}
