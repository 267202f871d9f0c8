package hazelcast_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// A file with a cluster-connect-timeout-millis of -1 has opening wait for the cluster, for as long as its
// context lasts, and not for the default of ten seconds.
func TestClientFileMayWaitForEver(t *testing.T) {
	t.Parallel()
	closed, err := servers.FreeAddr()
	must(t, err)
	file := filepath.Join(t.TempDir(), "hazelcast-client.yaml")
	must(t, os.WriteFile(file, []byte("hazelcast-client:\n  network: {cluster-members: ['"+closed+"']}\n"+
		"  connection-strategy: {connection-retry: {cluster-connect-timeout-millis: -1}}\n"), 0o600))
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	ended := make(chan error, 1)
	go func() {
		_, err := hazelcast.Open(ctx, hazelcast.Options{ClientFile: file})
		ended <- err
	}()
	select {
	case err := <-ended:
		t.Fatalf("it waited no longer: %v", err)
	case <-time.After(12 * time.Second):
	}
	cancel()
	select {
	case err := <-ended:
		if !errors.Is(err, context.Canceled) {
			t.Errorf("it ended with %v", err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it does not obey its context")
	}
}
