package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
)

// A fleet is the shop servers of the demonstration, each a process of its own.
type fleet struct {
	shops []*shopProcess
}

// states tells which servers are up, in the form of statesHeader.
func (f *fleet) states() string {
	var list []string
	for _, s := range f.shops {
		state := "down"
		if s.up() {
			state = "up"
		}
		list = append(list, s.name+"="+state)
	}
	return strings.Join(list, " ")
}

func (f *fleet) stop() {
	for _, s := range f.shops {
		s.stop()
	}
}

// A shopProcess is one server's process, which may end and be started again.
type shopProcess struct {
	name, config string
	out          io.Writer

	mu     sync.Mutex
	addr   string // the same after a restart
	cmd    *exec.Cmd
	exited chan struct{} // closed when cmd has ended
}

func newShopProcess(name, config string, out io.Writer) *shopProcess {
	exited := make(chan struct{})
	close(exited)
	return &shopProcess{name: name, config: config, out: out, addr: "127.0.0.1:0", exited: exited}
}

// ended returns what is closed when the process that runs now has ended.
func (s *shopProcess) ended() <-chan struct{} {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.exited
}

func (s *shopProcess) up() bool {
	select {
	case <-s.ended():
		return false
	default:
		return true
	}
}

// start runs the server and waits until it listens.
func (s *shopProcess) start(ctx context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, "serve", "-listen", s.addr, "-name", s.name, "-config", s.config)
	cmd.Stderr = s.out
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	listening := make(chan string, 1)
	exited := make(chan struct{})
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if _, addr, ok := strings.Cut(lines.Text(), " listens on "); ok {
				listening <- addr
			}
		}
		_ = cmd.Wait() // a server that ended may have been stopped on purpose
		fmt.Fprintf(s.out, "server %s has ended\n", s.name)
		close(exited)
	}()
	select {
	case s.addr = <-listening:
		fmt.Fprintf(s.out, "server %s is process %d on http://%s\n", s.name, cmd.Process.Pid, s.addr)
		s.cmd, s.exited = cmd, exited
		return nil
	case <-exited:
		return errors.New("it ended at once; its own message is above")
	case <-ctx.Done():
		_ = cmd.Process.Kill()
		<-exited
		return ctx.Err()
	}
}

// stop ends the process, if it runs, and waits for it.
func (s *shopProcess) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		_ = s.cmd.Process.Kill() // it may have ended
		<-s.exited
	}
}
