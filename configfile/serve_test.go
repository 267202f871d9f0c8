package configfile_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A serving system is one whose Serve runs.
type serving struct {
	addr   string
	opened chan struct{}
	ended  chan error
}

// serve runs Serve with a handler, and the health at its paths.
func serve(ctx context.Context, t *testing.T, text string, handler http.HandlerFunc) *serving {
	t.Helper()
	system, err := parse(t, "a.yaml", text).Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &serving{addr: l.Addr().String(), opened: make(chan struct{}), ended: make(chan error, 1)}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/", handler)
	for _, path := range []string{"/livez", "/readyz", "/healthz"} {
		mux.Handle(path, system.HealthHandler())
	}
	go func() {
		s.ended <- system.Serve(ctx, &http.Server{Addr: s.addr, Handler: mux, BaseContext: func(net.Listener) context.Context {
			close(s.opened)
			return context.Background()
		}})
	}()
	return s
}

// get asks for a path. An answer that does not come has the status 0.
func (s *serving) get(t *testing.T, path string) (status int, body string) {
	t.Helper()
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Get("http://" + s.addr + path)
	if err != nil {
		return 0, err.Error()
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err.Error()
	}
	return resp.StatusCode, string(data)
}

func (s *serving) await(t *testing.T, path string, status int) {
	t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); ; <-tick.C {
		got, body := s.get(t, path)
		if got == status {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%s is %d %s, want %d", path, got, body, status)
		}
	}
}

func (s *serving) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-s.ended:
		return err
	case <-time.After(10 * time.Second):
		t.Fatal("it does not end")
		return nil
	}
}

func interrupt(t *testing.T) {
	t.Helper()
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Signal(os.Interrupt)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestServeEndsInOrder: first unready, then drained, then closed; the request in progress is
// answered.
func TestServeEndsInOrder(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	s := serve(t.Context(), t, "cacheManager: {provider: memory}\nshutdown: {delay: 300ms}", func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/slow" {
			close(begun)
			<-finish
		}
		_, _ = io.WriteString(w, "served")
	})
	<-s.opened
	s.await(t, "/readyz", 200)
	slow := make(chan string, 1)
	go func() {
		_, body := s.get(t, "/slow")
		slow <- body
	}()
	<-begun
	interrupt(t)
	s.await(t, "/readyz", 503)
	if status, body := s.get(t, "/"); status != 200 || body != "served" {
		t.Errorf("while balancers notice: %d %s", status, body)
	}
	if status, _ := s.get(t, "/livez"); status != 200 {
		t.Errorf("it is taken for dead: %d", status)
	}
	s.await(t, "/", 0) // the port is closed
	close(finish)
	if body := <-slow; body != "served" {
		t.Errorf("the request in progress: %s", body)
	}
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

// TestServeASecondSignalEndsItAtOnce whatever is still in progress.
func TestServeASecondSignalEndsItAtOnce(t *testing.T) {
	begun, finish := make(chan struct{}), make(chan struct{})
	defer close(finish)
	s := serve(t.Context(), t, "cacheManager: {provider: memory}\nshutdown: {delay: 1h, drainTimeout: 1h}", func(http.ResponseWriter, *http.Request) {
		close(begun)
		<-finish
	})
	<-s.opened
	go s.get(t, "/")
	<-begun
	interrupt(t)
	s.await(t, "/readyz", 503)
	interrupt(t)
	if err := s.end(t); err == nil || !strings.Contains(err.Error(), "a second signal") {
		t.Errorf("it ends with %v", err)
	}
}

// TestServeEndsWithItsContext, too, and before it has begun.
func TestServeEndsWithItsContext(t *testing.T) {
	healthy(t)
	countedHealth.Store(&driver.Health{Pending: []string{"copies are made"}})
	ctx, cancel := context.WithCancel(t.Context())
	waiting := serve(ctx, t, "cacheManager: {provider: counted}", nothing)
	serving := serve(ctx, t, "cacheManager: {provider: memory}", nothing)
	<-serving.opened
	cancel()
	if err := errors.Join(waiting.end(t), serving.end(t)); err != nil {
		t.Error(err)
	}
}

// healthy puts the provider's health right after the test.
func healthy(t *testing.T) { t.Cleanup(func() { countedHealth.Store(nil) }) }

func nothing(http.ResponseWriter, *http.Request) {}

// TestServeOpensThePortWhenCopiesAreMade: as soon as it answers, the next process may be
// restarted. What nobody but an operator can mend does not hold it up.
func TestServeOpensThePortWhenCopiesAreMade(t *testing.T) {
	healthy(t)
	countedHealth.Store(&driver.Health{Unready: []string{"joining"}})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := serve(ctx, t, "cacheManager: {provider: counted}", nothing)
	for _, why := range []driver.Health{{Unready: []string{"joining"}}, {Pending: []string{"copies are made"}}} {
		countedHealth.Store(&why)
		for range 10 {
			if status, body := s.get(t, "/healthz"); status != 0 {
				t.Fatalf("%v: it answers %d %s", why, status, body)
			}
		}
	}
	countedHealth.Store(&driver.Health{Unsafe: []string{"something was lost"}, Servers: []driver.Server{{Name: "a:1", Down: "refused", Affected: "half"}}})
	<-s.opened
	s.await(t, "/readyz", 200)
	if status, body := s.get(t, "/healthz"); status != 503 || !strings.Contains(body, "not safe: something was lost\n") || !strings.Contains(body, "down: a:1 since") {
		t.Errorf("its health is %d %s", status, body)
	}
	countedHealth.Store(&driver.Health{})
	s.await(t, "/healthz", 200)
	cancel()
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

// TestServeOpensThePortWithoutTheStore if that is asked for, and is ready when the store is there.
func TestServeOpensThePortWithoutTheStore(t *testing.T) {
	common.Store(nil)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := serve(ctx, t, "cacheManager: {provider: shared, properties: {startTimeout: 0s, whenDown: start}}", nothing)
	s.await(t, "/", 200)
	if status, body := s.get(t, "/readyz"); status != 503 || !strings.Contains(body, "nobody there") {
		t.Errorf("without the store it says that it is ready: %d %s", status, body)
	}
	store, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer store.Close(context.Background()) //nolint:errcheck // it has no errors
	common.Store(store)
	s.await(t, "/readyz", 200)
	cancel()
	if err := s.end(t); err != nil {
		t.Error(err)
	}
}

// TestServeNamesAnAddressThatIsTaken at once, also if it would have to wait.
func TestServeNamesAnAddressThatIsTaken(t *testing.T) {
	healthy(t)
	countedHealth.Store(&driver.Health{Unready: []string{"joining"}})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close() //nolint:errcheck // the test ends
	system, err := parse(t, "a.yaml", "cacheManager: {provider: counted}").Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := system.Serve(t.Context(), &http.Server{Addr: l.Addr().String()}); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("Serve = %v", err)
	}
	if caches, err := system.CacheManager(""); err != nil || !caches.Closed() {
		t.Errorf("the system is not closed: %v", err)
	}
}

// TestDefaultBoundsFitIntoKubernetes, with five seconds for the balancers: 30 seconds are
// what a container has, and one line says so.
func TestDefaultBoundsFitIntoKubernetes(t *testing.T) {
	var log logtest.Log
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(&log, nil)))
	defer slog.SetDefault(before)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := serve(ctx, t, "cacheManager: {provider: peer, properties: {plaintext: true}}\nshutdown: {delay: 5s}", nothing)
	<-s.opened
	line := regexp.MustCompile(`msg="keepsake: serving".* delay=5s drainTimeout=\S+ leaveTimeout=\S+ endsWithin=(\S+)`).FindStringSubmatch(log.String())
	if line == nil {
		t.Fatalf("no line has the bounds:\n%s", log.String())
	}
	if d, err := time.ParseDuration(line[1]); err != nil || d >= 30*time.Second || d < 20*time.Second {
		t.Errorf("it ends within %v", line[1])
	}
	interrupt(t)
	interrupt(t) // five seconds are long
	_ = s.end(t)
}
