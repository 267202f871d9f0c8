package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"
)

// A child is a process of this program in one of its roles. It gets requests on its
// standard input, one at a time, and answers them on a pipe. It ends when its input does,
// and so with this process.
type child struct {
	addr     string
	cmd      *exec.Cmd
	requests *json.Encoder
	answers  *json.Decoder
	input    interface{ Close() error }
}

// A request asks a child to do something. What it answers depends on the role.
type request struct {
	Do      string
	Put     bool
	Size    int // of a value, in bytes
	Count   int // of keys
	Callers int
	Time    time.Duration
	Path    string // of a file
}

// An answer is what a child has found, or why it failed.
type answer struct {
	Failed string          `json:",omitempty"`
	Result json.RawMessage `json:",omitempty"`
}

// launch starts a child, and returns when it is ready.
func launch(role string, config any) (*child, error) {
	path, err := os.Executable()
	if err != nil {
		return nil, err
	}
	arg, err := json.Marshal(config)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(path, "-role", role, string(arg))
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	read, write, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{write}
	if err := errors.Join(cmd.Start(), write.Close()); err != nil {
		return nil, err
	}
	c := &child{cmd: cmd, requests: json.NewEncoder(input), answers: json.NewDecoder(read), input: input}
	if err := c.hear(&c.addr); err != nil {
		c.end()
		return nil, fmt.Errorf("%s: %w", role, err)
	}
	return c, nil
}

// ask has the child do something. The result is a pointer, or nil if there is none.
func (c *child) ask(r request, result any) error {
	if err := c.requests.Encode(r); err != nil {
		return err
	}
	return c.hear(result)
}

func (c *child) hear(result any) error {
	var a answer
	if err := c.answers.Decode(&a); err != nil {
		return fmt.Errorf("the process has ended: %w", err)
	}
	if a.Failed != "" {
		return errors.New(a.Failed)
	}
	if result == nil {
		return nil
	}
	return json.Unmarshal(a.Result, result)
}

func (c *child) pid() int { return c.cmd.Process.Pid }

// end ends the process, and waits until it is gone. A peer hands over what it has.
func (c *child) end() {
	_ = c.input.Close() // the process may be gone already
	_ = c.cmd.Wait()    // that it ended is all there is to know
}
