package main

import (
	"fmt"
	"os"
	"os/exec"
	"sync/atomic"
	"syscall"
)

// A process is a server of this program, at work until it is killed or terminated.
type process struct {
	cmd      *exec.Cmd
	log      string // the file that it prints to
	expected atomic.Bool
	exited   chan struct{} // closed when it has ended
}

// startProcess starts a command that prints to the file log, which is created. It ends
// with this program at the latest.
func startProcess(cmd *exec.Cmd, log string) (*process, error) {
	file, err := os.OpenFile(log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	defer file.Close() //nolint:errcheck // the process has its own
	p := &process{cmd: cmd, log: log, exited: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = file, file
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // ProcessState says how it ended
		close(p.exited)
	}()
	return p, nil
}

// kill ends the process at once, as kill -9 does, and waits until it is gone.
func (p *process) kill() {
	p.expected.Store(true)
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.exited
}

// terminate asks the process to end, as kill does, and waits until it is gone. An error
// says that it did not end well.
func (p *process) terminate() error {
	p.expected.Store(true)
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	<-p.exited
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("a server that was asked to end: %v", p.cmd.ProcessState)
	}
	return nil
}

func (p *process) pause() error  { return p.cmd.Process.Signal(syscall.SIGSTOP) }
func (p *process) resume() error { return p.cmd.Process.Signal(syscall.SIGCONT) }

// running reports whether it has not ended.
func (p *process) running() bool {
	select {
	case <-p.exited:
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
