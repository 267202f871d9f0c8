package main_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

const lonelyPeer = `
cacheManager:
  provider: peer
  properties:
    secret: known to all of the test's processes
    domain: shop
`

// ask returns the status and the body of an answer.
func ask(t *testing.T, url string) (int, string) {
	t.Helper()
	status, body, err := fetch(t, url)
	if err != nil {
		t.Fatal(err)
	}
	return status, body
}

func fetch(t *testing.T, url string) (status int, body string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close() //nolint:errcheck // it was read
	data, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(data), err
}

func TestPeerServesMetrics(t *testing.T) {
	dir := files(t, map[string]string{"peer.yaml": lonelyPeer})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "peer", "--config", "peer.yaml", "--metrics", "127.0.0.1:0")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	next := func() string {
		if !lines.Scan() {
			t.Fatalf("it said no more: %v, %v", lines.Err(), cmd.Wait())
		}
		return lines.Text()
	}
	url, found := strings.CutPrefix(next(), "metrics at ")
	if line := next(); !found || line != "ready" {
		t.Fatalf("it said %q and %q", url, line)
	}
	status, body := ask(t, url)
	for _, line := range []string{`keepsake_peer_members{domain="shop"} 1`, `keepsake_peer_safe{domain="shop"} 1`, "\ngo_goroutines "} {
		if status != http.StatusOK || !strings.Contains(body, line) {
			t.Errorf("the metrics, with status %d, lack %s", status, line)
		}
	}
	if status, body := ask(t, strings.Replace(url, "/metrics", "/healthz", 1)); status != http.StatusOK || body != "ok\n" {
		t.Errorf("its health is %d: %s", status, body)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if line := next(); line != "handing over" {
		t.Errorf("at the end it said %q", line)
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestPeerNamesAnAddressThatIsTaken(t *testing.T) {
	dir := files(t, map[string]string{"peer.yaml": lonelyPeer})
	_, problems, status := keepsake(t, dir, "peer", "--config", "peer.yaml", "--metrics", "127.0.0.1:99999")
	if status != 1 || !strings.HasPrefix(problems, "metrics: listen tcp") {
		t.Errorf("status %d, %s", status, problems)
	}
}

// Nobody is forgotten who is there, or was never there.
func TestPeerForgetsTheMissingOnly(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	dir := files(t, map[string]string{
		"peer.yaml":   lonelyPeer + "    listen: " + addr + "\n    join: " + addr + "\n",
		"memory.yaml": "cacheManager: {provider: memory}\n",
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, "peer", "keep", "--config", "peer.yaml")
	cmd.Dir = dir
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if lines := bufio.NewScanner(out); !lines.Scan() || lines.Text() != "ready" {
		t.Fatalf("it said %q", lines.Text())
	}
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"peer.yaml"}, "no member is missing"},
		{[]string{"peer.yaml", addr}, "answers"},
		{[]string{"peer.yaml", "127.0.0.1:1"}, "no member at 127.0.0.1:1 is missing"},
		{[]string{"memory.yaml"}, "waits for no members"},
	} {
		told, problems, status := keepsake(t, dir, append([]string{"peer", "forget", "--config"}, test.args...)...)
		if status != 1 || !strings.Contains(problems, test.want) || told != "" {
			t.Errorf("%v: status %d, %q, want one with %q", test.args, status, problems, test.want)
		}
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // it was killed
}
