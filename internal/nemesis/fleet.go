package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/internal/lan"
)

// A fleet is the servers of a run. Each has a place, which outlives its processes.
type fleet struct {
	program string
	config  string
	app     bool     // it is sessionapp
	dir     string   // for what the servers print
	network *lan.LAN // nil: all are on loopback
	ports   string   // for a grid, of which each server takes a free one
	env     []string
	client  *http.Client
	began   time.Time
	servers []*server
	formed  atomic.Bool // whoever is started now joins others
}

// joinTimeout is for how long a server looks for the others of a grid that is there. If
// it gave up, on a machine that is too slow, it would begin one beside it.
const joinTimeout = 20 * time.Second

type server struct {
	place  int
	listen string

	mu   sync.Mutex
	proc *process // nil before the first start
	up   bool     // it may be asked
	// troubles are the times in which it cannot be expected to answer; the last one
	// may not have ended.
	troubles []trouble
}

type trouble struct{ from, to time.Duration }

// maxServers is how many places there are: some are only taken for a while.
const maxServers = 9

// newFleet prepares places for servers, of which none is started. Without a network they
// are on loopback.
func newFleet(p plan, dir string, w *lan.LAN) (*fleet, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, err
	}
	f := &fleet{program: program, config: p.file, dir: dir, network: w, client: newHTTPClient(), began: time.Now()}
	if p.app != "" {
		f.program, f.app = p.app, true
		f.env = append(f.env, "NEMESIS_READS=local")
	}
	base, err := freePorts(2 * maxServers)
	if err != nil {
		return nil, err
	}
	f.ports = fmt.Sprintf("%d-%d", base+maxServers, base+2*maxServers-1)
	var join []string
	for i := range maxServers {
		f.servers = append(f.servers, &server{place: i, listen: fmt.Sprintf("%s:%d", f.host(i), base+i)})
		if addr := f.host(i) + ":" + f.ports; !slices.Contains(join, addr) {
			join = append(join, addr)
		}
	}
	f.env = append(f.env, fmt.Sprintf("NEMESIS_REPLICAS=%d", p.replicas), "NEMESIS_ON_SPLIT="+p.onSplit, "NEMESIS_JOIN="+strings.Join(join, ","))
	return f, nil
}

// host returns the address of a server's host.
func (f *fleet) host(i int) string {
	if f.network == nil {
		return "127.0.0.1"
	}
	return f.network.Addr(i)
}

// since returns the time of the run.
func (f *fleet) since() time.Duration { return time.Since(f.began) }

func (f *fleet) url(i int) string { return "http://" + f.servers[i].listen }

// start starts the server of a place and waits until it answers.
func (f *fleet) start(ctx context.Context, i int) error {
	s := f.servers[i]
	args, alive := []string{"serve", "-config", f.config, "-listen", s.listen}, "/status"
	if f.app {
		args, alive = []string{"-config", f.config, "-listen", s.listen, "-name", fmt.Sprint(i)}, "/system/livez"
	}
	cmd := exec.Command(f.program, args...)
	if f.network != nil {
		cmd = f.network.Command(i, f.program, args...)
	}
	cmd.Env = append(os.Environ(), append(f.env, "NEMESIS_LISTEN="+f.host(i)+":"+f.ports)...)
	if f.formed.Load() {
		cmd.Env = append(cmd.Env, "NEMESIS_JOIN_TIMEOUT="+joinTimeout.String())
	}
	p, err := startProcess(cmd, filepath.Join(f.dir, fmt.Sprintf("server%d.log", i)))
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.proc = p
	s.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	err = poll(ctx, func() error {
		if !p.running() {
			return fatal{fmt.Errorf("server %d ended while it started: %v", i, p.cmd.ProcessState)}
		}
		_, _, err := request(ctx, f.client, http.MethodGet, f.url(i)+alive, "")
		return err
	})
	if err != nil {
		return fmt.Errorf("start server %d: %w\n%s", i, err, p.tail())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = true
	s.endTrouble(f.since())
	return nil
}

// startAll starts the first n servers at the same time.
func (f *fleet) startAll(ctx context.Context, n int) error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f.start(ctx, i) })
	}
	wg.Wait()
	f.formed.Store(true)
	return errors.Join(errs...)
}

// down says that a server should not be asked for a while, or, in trouble, cannot be
// expected to answer.
func (f *fleet) down(i int, inTrouble bool) *process {
	s := f.servers[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = false
	if inTrouble {
		s.troubles = append(s.troubles, trouble{f.since(), forever})
	}
	return s.proc
}

func (s *server) endTrouble(now time.Duration) {
	if n := len(s.troubles); n > 0 && s.troubles[n-1].to == forever {
		s.troubles[n-1].to = now
	}
}

func (f *fleet) kill(i int) { f.down(i, true).kill() }

// terminate ends a server in good order.
func (f *fleet) terminate(i int) error {
	p := f.down(i, false)
	if err := p.terminate(); err != nil {
		return fmt.Errorf("server %d: %w\n%s", i, err, p.tail())
	}
	return nil
}

func (f *fleet) pause(i int) error { return f.down(i, true).pause() }

func (f *fleet) resume(i int) error {
	f.back(i)
	return f.servers[i].proc.resume()
}

// back says that a server that was in trouble may be asked again.
func (f *fleet) back(i int) {
	s := f.servers[i]
	s.mu.Lock()
	defer s.mu.Unlock()
	s.up = true
	s.endTrouble(f.since())
}

// running returns the places whose servers have not ended.
func (f *fleet) running() []int {
	return f.which(func(s *server) bool { return s.proc != nil && s.proc.running() })
}

// up returns the places whose servers may be asked.
func (f *fleet) up() []int { return f.which(func(s *server) bool { return s.up }) }

func (f *fleet) which(is func(*server) bool) (places []int) {
	for i, s := range f.servers {
		s.mu.Lock()
		if is(s) {
			places = append(places, i)
		}
		s.mu.Unlock()
	}
	return places
}

// excused reports whether a server was in trouble at some time of a call.
func (f *fleet) excused(a answer) bool {
	s := f.servers[a.server]
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.ContainsFunc(s.troubles, func(t trouble) bool { return t.from <= a.ended && a.began <= t.to })
}

// close ends everything at once.
func (f *fleet) close() {
	for _, i := range f.running() {
		f.kill(i)
	}
	f.client.CloseIdleConnections()
	if f.network != nil {
		f.network.Close()
	}
}

// dump says how all servers are, and lets them print what they are doing, and end.
func (f *fleet) dump(ctx context.Context, printf func(string, ...any)) {
	for _, i := range f.running() {
		s, err := f.status(ctx, i, "")
		printf("    server %d: %+v, %v", i, s, err)
	}
	for _, i := range f.running() {
		f.down(i, true).dump()
	}
}

// crashes describes the servers that ended without being asked.
func (f *fleet) crashes() (found []string) {
	for i, s := range f.servers {
		s.mu.Lock()
		p := s.proc
		s.mu.Unlock()
		if p != nil && !p.running() && !p.expected.Swap(true) {
			found = append(found, fmt.Sprintf("server %d ended by itself: %v\n%s", i, p.cmd.ProcessState, p.tail()))
		}
	}
	return found
}

// alarms describes what servers printed that none should.
func (f *fleet) alarms() (found []string) {
	for i, s := range f.servers {
		if s.proc == nil {
			continue
		}
		printed, err := os.ReadFile(s.proc.log)
		if err != nil {
			found = append(found, err.Error())
		}
		for _, sign := range []string{"WARNING: DATA RACE", "panic: ", "fatal error: "} {
			if at := bytes.Index(printed, []byte(sign)); at >= 0 {
				found = append(found, fmt.Sprintf("server %d prints:\n%s", i, printed[at:min(len(printed), at+tailBytes)]))
			}
		}
	}
	return found
}
