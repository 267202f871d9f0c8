// Package servers runs real backend servers as child processes on free loopback
// ports, for tests, examples and benchmarks.
package servers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"time"
)

// ErrNotInstalled is matched by the error of a server whose program is missing. Its
// text names the command that installs it.
var ErrNotInstalled = errors.New("not installed")

// A Process is a running server.
type Process struct {
	// Addr is where it listens: 127.0.0.1:port.
	Addr string

	cmd    *exec.Cmd
	output tail
	exited chan struct{} // closed when the process has ended
}

// StartCommand runs the command of any server; its Addr remains empty. The process ends
// with Kill, or with this program. What it prints is kept for Output, unless the command
// says where it goes.
func StartCommand(cmd *exec.Cmd) (*Process, error) {
	p := &Process{cmd: cmd, exited: make(chan struct{})}
	if cmd.Stdout == nil && cmd.Stderr == nil {
		cmd.Stdout, cmd.Stderr = &p.output, &p.output
	}
	dieWithParent(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	go func() {
		_ = cmd.Wait() // the command says how it ended
		close(p.exited)
	}()
	return p, nil
}

// start runs the command of a server that will listen at addr.
func start(cmd *exec.Cmd, addr string) (*Process, error) {
	p, err := StartCommand(cmd)
	if err != nil {
		return nil, err
	}
	p.Addr = addr
	return p, nil
}

// startListening runs a command and waits until addr takes connections.
func startListening(ctx context.Context, cmd *exec.Cmd, addr string) (*Process, error) {
	p, err := start(cmd, addr)
	if err != nil {
		return nil, err
	}
	err = p.await(ctx, func() error {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			err = c.Close()
		}
		return err
	})
	if err != nil {
		p.Kill()
		return nil, err
	}
	return p, nil
}

// Kill ends the process at once, as kill -9 does, and waits until it is gone.
func (p *Process) Kill() {
	_ = p.cmd.Process.Kill() // it may have ended by itself
	<-p.exited
}

// Terminate asks the process to end, as kill does, and waits until it is gone. Where the
// system has no such signal it ends the process at once.
func (p *Process) Terminate() {
	if p.cmd.Process.Signal(syscall.SIGTERM) != nil {
		p.Kill()
	}
	<-p.exited
}

// Exited is closed when the process has ended.
func (p *Process) Exited() <-chan struct{} { return p.exited }

// PID returns the process id.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Output returns the last 64 KiB that the process has printed.
func (p *Process) Output() string { return p.output.String() }

// await polls ready until it returns nil, the process ends or ctx does.
func (p *Process) await(ctx context.Context, ready func() error) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := ready()
		if err == nil {
			return nil
		}
		select {
		case <-p.exited:
			return fmt.Errorf("%s ended before it was ready; it printed:\n%s", p.cmd.Path, p.Output())
		case <-ctx.Done():
			return fmt.Errorf("%s is not ready: %w (%w); it printed:\n%s", p.cmd.Path, err, ctx.Err(), p.Output())
		case <-tick.C:
		}
	}
}

// FreeAddr returns a loopback address that nobody listened on a moment ago.
func FreeAddr() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	defer l.Close() //nolint:errcheck // nothing was written
	return l.Addr().String(), nil
}

// tail keeps the end of what is written to it.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailBytes = 64 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, b...)
	if over := len(t.buf) - tailBytes; over > 0 {
		t.buf = append(t.buf[:0], t.buf[over:]...)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(bytes.Clone(t.buf))
}

func lookProgram(name, install string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%s is %w; install it with: %s", name, ErrNotInstalled, install)
	}
	return path, nil
}

// installPrefix is what comes before apt-get for this user.
func installPrefix() string {
	if os.Geteuid() == 0 {
		return ""
	}
	return "sudo "
}
