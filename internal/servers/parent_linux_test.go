package servers_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
)

// TestServersEndWithATestThatIsKilled: a test that times out, or panics, cleans nothing up.
func TestServersEndWithATestThatIsKilled(t *testing.T) {
	const child = "KEEPSAKE_CHILD"
	if os.Getenv(child) != "" {
		p, err := servers.Memcached(context.Background())
		if errors.Is(err, servers.ErrNotInstalled) {
			fmt.Println("skip")
			os.Exit(0)
		}
		if err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		fmt.Println(p.Addr)
		os.Exit(2)
	}
	program, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-test.run", "^"+t.Name()+"$")
	cmd.Env = append(os.Environ(), child+"=true")
	out, _ := cmd.Output() // it ends as a test does that fails
	addr := strings.TrimSpace(string(out))
	if addr == "skip" && os.Getenv("CI") != "true" {
		t.Skip("SKIPPED: memcached is not installed; install it with: apt-get install -y memcached")
	}
	for deadline := time.Now().Add(30 * time.Second); ; <-time.After(20 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err != nil {
			if !strings.Contains(err.Error(), "refused") {
				t.Fatalf("%q: %v", addr, err)
			}
			return
		}
		_ = c.Close() // nothing was written
		if time.Now().After(deadline) {
			t.Fatal("the server goes on without the test that has started it")
		}
	}
}
