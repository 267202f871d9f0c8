package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
)

const (
	readmeSessions = 20_000
	loaded         = 2_000 // of them, that go on being used during the restarts
	callers        = 16
)

// TestReadmeProgramSurvivesARollingRestart does what the README says with what stands there:
// two servers with its program and its configuration, SIGTERM for one after the other, each
// as soon as the one before answers again.
func TestReadmeProgramSurvivesARollingRestart(t *testing.T) {
	f := startReadme(t)
	visitors := make([]visitor, readmeSessions)
	f.each(t, visitors, func(v *visitor) error {
		n, err := f.visit(v)
		if err == nil && n != 1 {
			err = fmt.Errorf("a new visitor's visit is number %d", n)
		}
		v.visits = n
		return err
	})
	stop := f.load(visitors[:loaded])
	for i := range f.servers {
		f.servers[i].process.Terminate() // as an operator does, who then starts it again
		f.start(t, i)
		f.awaitAnswer(t, i)
	}
	requests, failed := stop()
	var lost atomic.Int64
	f.each(t, visitors, func(v *visitor) error {
		n, err := f.visit(v)
		if err == nil && n <= v.visits {
			lost.Add(1)
		}
		return err
	})
	t.Logf("%d of %d sessions are left; during the restarts %d requests, %d without an answer or with an error",
		readmeSessions-lost.Load(), readmeSessions, requests, failed)
	if lost.Load() > 0 {
		t.Errorf("%d of %d sessions were lost\n%s\n%s", lost.Load(), readmeSessions, f.servers[0].process.Output(), f.servers[1].process.Output())
	}
}

// TestHelloIsTheReadmesProgram keeps this directory and the README together.
func TestHelloIsTheReadmesProgram(t *testing.T) {
	code, err := os.ReadFile("main.go")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(code), block(t, "go", "package main")) {
		t.Error("the README has another program than main.go")
	}
	yaml, err := os.ReadFile("keepsake.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if string(yaml) != block(t, "yaml", "provider: memory") {
		t.Error("the README has another file than keepsake.yaml")
	}
}

// block returns the README's code block of a language that contains a text.
func block(t *testing.T, language, text string) string {
	t.Helper()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range strings.Split(string(readme), "\n```"+language+"\n")[1:] {
		if code, _, _ := strings.Cut(part, "```\n"); strings.Contains(code, text) {
			return code
		}
	}
	t.Fatalf("the README has no block of %s with %q", language, text)
	return ""
}

// A fleet is the README's program as two processes.
type fleet struct {
	servers [2]struct {
		binary, dir, url string
		process          *servers.Process
	}
	client http.Client
	next   atomic.Uint64
}

// startReadme builds the program in a module of its own, as a reader would, once for each
// address that it listens on, and starts both.
func startReadme(t *testing.T) *fleet {
	t.Helper()
	code, yaml := block(t, "go", "package main"), block(t, "yaml", "provider: peer")
	module := t.TempDir()
	root, err := filepath.Abs("../..")
	must(t, err)
	mod, err := os.ReadFile(filepath.Join(root, "go.mod"))
	must(t, err)
	_, rest, _ := strings.Cut(string(mod), "\n")
	write(t, module, "go.mod", "module readme\n"+rest+
		"\nrequire github.com/keepsake-cache/keepsake v0.0.0\nreplace github.com/keepsake-cache/keepsake => "+root+"\n")
	sum, err := os.ReadFile(filepath.Join(root, "go.sum"))
	must(t, err)
	write(t, module, "go.sum", string(sum))

	f := &fleet{client: http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 2 * callers}}}
	members := [2]string{loopback(t, 5, "7801"), loopback(t, 6, "7801")}
	for i := range f.servers {
		s := &f.servers[i]
		addr := loopback(t, 5+i, "8000")
		s.url, s.dir, s.binary = "http://"+addr, t.TempDir(), filepath.Join(t.TempDir(), "hello")
		write(t, module, "main.go", strings.ReplaceAll(code, "127.0.0.1:8000", addr))
		build := exec.Command("go", "build", "-mod=mod", "-o", s.binary, ".")
		build.Dir = module
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("the README's program does not build: %v\n%s", err, out)
		}
		own := strings.ReplaceAll(yaml, "listen: 10.1.0.5:7801", "listen: "+members[i])
		write(t, s.dir, "keepsake.yaml", strings.NewReplacer("10.1.0.5:7801", members[0], "10.1.0.6:7801", members[1]).Replace(own))
		f.start(t, i)
		t.Cleanup(func() { f.servers[i].process.Kill() })
		f.awaitAnswer(t, i)
	}
	return f
}

// loopback returns an address of a machine of the test, with a port of its own where that
// is possible: one that was free a moment ago may be taken by the load's connections while
// a server is restarted.
func loopback(t *testing.T, machine int, port string) string {
	t.Helper()
	addr := fmt.Sprintf("127.%d.%d.%d:%s", 1+os.Getpid()%254, os.Getpid()/254%254, machine, port)
	l, err := net.Listen("tcp", addr)
	if err != nil { // this system has one loopback address
		addr, err = servers.FreeAddr()
		must(t, err)
		return addr
	}
	must(t, l.Close())
	return addr
}

func (f *fleet) start(t *testing.T, i int) {
	t.Helper()
	s := &f.servers[i]
	cmd := exec.Command(s.binary)
	cmd.Dir, cmd.Env = s.dir, append(os.Environ(), "SHOP_SECRET=known to both of the servers")
	var err error
	s.process, err = servers.StartCommand(cmd)
	must(t, err)
}

// awaitAnswer waits until a server answers anything.
func (f *fleet) awaitAnswer(t *testing.T, i int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		r, err := http.NewRequestWithContext(ctx, http.MethodGet, f.servers[i].url+"/healthz", nil)
		must(t, err)
		if resp, err := f.client.Do(r); err == nil {
			_ = resp.Body.Close() // whatever it says
			return
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			t.Fatalf("server %d does not answer\n%s", i, f.servers[i].process.Output())
		}
	}
}

// A visitor is a browser.
type visitor struct {
	cookie string
	visits int // that were answered
}

// visit visits one server or, if that cannot be connected to, the other one, as a balancer
// does.
func (f *fleet) visit(v *visitor) (n int, err error) {
	first := f.next.Add(1)
	for i := range uint64(2) {
		var r *http.Request
		r, err = http.NewRequest(http.MethodGet, f.servers[(first+i)%2].url+"/", nil)
		if err != nil {
			return 0, err
		}
		if v.cookie != "" {
			r.Header.Set("Cookie", v.cookie)
		}
		var resp *http.Response
		if resp, err = f.client.Do(r); err != nil {
			continue
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close() // it was read
		if err != nil {
			return 0, err
		}
		if _, err := fmt.Sscanf(string(body), "visit %d", &n); err != nil {
			return 0, fmt.Errorf("%d: %q", resp.StatusCode, body)
		}
		if set := resp.Header.Get("Set-Cookie"); set != "" {
			v.cookie, _, _ = strings.Cut(set, ";")
		}
		return n, nil
	}
	return 0, err
}

// each does something for every visitor, some at a time. The first error fails the test.
func (f *fleet) each(t *testing.T, visitors []visitor, do func(*visitor) error) {
	t.Helper()
	var next atomic.Int64
	var work sync.WaitGroup
	var first atomic.Pointer[error]
	for range callers {
		work.Go(func() {
			for at := next.Add(1) - 1; int(at) < len(visitors) && first.Load() == nil; at = next.Add(1) - 1 {
				if err := do(&visitors[at]); err != nil {
					first.CompareAndSwap(nil, &err)
				}
			}
		})
	}
	work.Wait()
	if err := first.Load(); err != nil {
		t.Fatal(*err)
	}
}

// load has visitors come again and again until stop is called, which returns how often they
// did and how often in vain.
func (f *fleet) load(visitors []visitor) (stop func() (requests, failed int64)) {
	var work sync.WaitGroup
	var requests, failed atomic.Int64
	var ending atomic.Bool
	share := len(visitors) / callers
	for i := range callers {
		mine := visitors[i*share : (i+1)*share]
		work.Go(func() {
			for at := 0; !ending.Load(); at = (at + 1) % len(mine) {
				requests.Add(1)
				v := &mine[at]
				known := v.cookie
				n, err := f.visit(v)
				if err != nil {
					failed.Add(1)
					continue
				}
				if n > v.visits {
					v.visits = n
				}
				if known != v.cookie {
					v.visits = 1 << 30 // it is a new session: the old one is lost, and counted at the end
				}
			}
		})
	}
	return func() (int64, int64) {
		ending.Store(true)
		work.Wait()
		return requests.Load(), failed.Load()
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
