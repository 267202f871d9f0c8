package lan

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"testing"
	"time"
)

// TestMain is also the program of a host: it says everything again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == "echo" {
		echo(os.Args[2])
		return
	}
	os.Exit(m.Run())
}

func echo(addr string) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println("listens")
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() { _, _ = io.Copy(c, c) }()
	}
}

// TestHosts cuts and slows the way to a process on a host.
func TestHosts(t *testing.T) {
	l, err := New(2, 1)
	if err != nil {
		t.Skip("SKIPPED: there are no hosts on this machine: ", err)
	}
	t.Cleanup(l.Close)
	addr := net.JoinHostPort(l.Addr(1), "7001")
	cmd := l.Command(1, os.Args[0], "echo", addr)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal("the process on the host does not listen: ", err)
	}
	say := func(within time.Duration) (time.Duration, error) {
		c, err := net.DialTimeout("tcp", addr, within)
		if err != nil {
			return 0, err
		}
		defer c.Close() //nolint:errcheck // nothing is lost
		must(t, c.SetDeadline(time.Now().Add(within)))
		began := time.Now()
		if _, err := c.Write([]byte("x")); err != nil {
			return 0, err
		}
		_, err = c.Read(make([]byte, 1))
		return time.Since(began), err
	}
	const patience, delay = 5 * time.Second, 150 * time.Millisecond
	if _, err := say(patience); err != nil {
		t.Fatal("a sound link: ", err)
	}
	l.Set(1, Outside, Condition{Delay: delay})
	if d, err := say(patience); err != nil || d < delay {
		t.Errorf("a link that takes %v answers after %v: %v", delay, d, err)
	}
	l.Set(1, Outside, Condition{Cut: true})
	if _, err := say(2 * delay); err == nil {
		t.Error("a cut link answers")
	}
	l.Set(1, Outside, Condition{})
	if _, err := say(patience); err != nil {
		t.Error("a link that was healed: ", err)
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
