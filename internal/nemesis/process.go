package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"

	"github.com/keepsake-cache/keepsake/internal/servers"
)

// A process is a server of this program, at work until it is killed or terminated.
type process struct {
	server   *servers.Process
	cmd      *exec.Cmd
	log      string // the file that it prints to
	expected atomic.Bool
}

// startProcess starts a command that prints to the file log, which is created. It ends
// with this program at the latest.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // the process has its own
	cmd.Stdout, cmd.Stderr = file, file
	server, err := servers.StartCommand(cmd)
	if err != nil {
		return nil, err
	}
	return &process{server: server, cmd: cmd, log: log}, nil
}

// kill ends the process at once, as kill -9 does, and waits until it is gone.
func (p *process) kill() {
	p.expected.Store(true)
	p.server.Kill()
}

// terminate asks the process to end, as kill does, and waits until it is gone. An error
// says that it did not end well.
func (p *process) terminate() error {
	p.expected.Store(true)
	p.server.Terminate()
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("a server that was asked to end: %v", p.cmd.ProcessState)
	}
	return nil
}

func (p *process) pause() error  { return p.server.Pause() }
func (p *process) resume() error { return p.server.Resume() }

// dump asks the process to print what all its goroutines do, and waits until it has ended.
func (p *process) dump() {
	p.expected.Store(true)
	if p.cmd.Process.Signal(syscall.SIGQUIT) == nil {
		<-p.server.Exited()
	}
}

// running reports whether it has not ended.
func (p *process) running() bool {
	select {
	case <-p.server.Exited():
		return false
	default:
		return true
	}
}

// tailBytes is how much of what a process printed is worth printing again.
const tailBytes = 4 << 10

// tail returns the end of what the process printed.
func (p *process) tail() string {
	data, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(data[max(0, len(data)-tailBytes):])
}
