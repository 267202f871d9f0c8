package servers

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes sure that no server outlives a test that was killed.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
