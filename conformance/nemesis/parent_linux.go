package main

import (
	"os/exec"
	"syscall"
)

// dieWithParent makes sure that no server outlives a run that was killed, not even a
// paused one.
func dieWithParent(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
}
