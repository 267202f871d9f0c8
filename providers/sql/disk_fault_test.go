package sql_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestFaultFullDisk: writes that find no room on the disk are refused with ErrFull; what was acknowledged
// stays, can be read meanwhile, and there is nothing to do but to make room. A database that ends for lack of
// room, as PostgreSQL does if it cannot write its log, is started again.
//
// On SQLite it is short. PostgreSQL is filled with KEEPSAKE_FAULTS=1, as make faults sets it.
func TestFaultFullDisk(t *testing.T) {
	t.Run("sqlite", func(t *testing.T) {
		dir := servertest.SmallDisk(t, "2m")
		fillDisk(t, dir, 512<<10, 8<<10, "sqlite:"+filepath.Join(dir, "caches.db"), func() {})
	})
	t.Run("postgresql", func(t *testing.T) {
		if os.Getenv("KEEPSAKE_FAULTS") == "" {
			t.Skip("it takes a while; make faults runs it")
		}
		dir := servertest.SmallDisk(t, "160m")
		t.Setenv("TMPDIR", dir)
		server := servertest.Postgres(t, "max_wal_size=48MB", "min_wal_size=32MB")
		fillDisk(t, dir, 40<<20, 100<<10, server.URL, func() {
			select {
			case <-server.Exited():
				t.Log("the database has ended, and is started again")
				must(t, server.Restart(t.Context()))
			default:
			}
		})
	})
}

// fillDisk writes until the disk is full, makes room, and looks for what was acknowledged.
func fillDisk(t *testing.T, dir string, spare, size int, url string, restart func()) {
	ballast := filepath.Join(dir, "ballast")
	must(t, os.WriteFile(ballast, make([]byte, spare), 0o600))
	p := connect(t, sql.Options{URL: url, Logger: slog.New(slog.DiscardHandler)})
	t.Cleanup(func() { _ = p.Close(context.Background()) })
	c, err := p.OpenCache(t.Context(), "sessions", driver.CacheOptions{})
	must(t, err)
	random := rand.NewChaCha8([32]byte{})
	content := make([]byte, size) // which cannot be compressed
	var acknowledged []string
	full, unknown := 0, 0
	for i := 1; full < 10; i++ {
		key := fmt.Sprint(i)
		_, _ = random.Read(content) // never fails
		err := c.Put(t.Context(), key, record(i, string(content)), time.Time{})
		switch {
		case err == nil:
			acknowledged = append(acknowledged, key)
		case errors.Is(err, driver.ErrFull):
			full++
		case errors.Is(err, driver.ErrIndeterminate):
			unknown++
			full++
		case errors.Is(err, driver.ErrUnavailable):
			full++ // it has ended
		default:
			t.Fatalf("a full disk: %v", err)
		}
	}
	if len(acknowledged) == 0 {
		t.Fatal("nothing was acknowledged")
	}
	must(t, os.Remove(ballast))
	restart()
	eventually(t, "a write succeeds when there is room", func() bool {
		return c.Put(t.Context(), "room", record(1<<20, "x"), time.Time{}) == nil
	})
	lost := 0
	for _, key := range acknowledged {
		_, found, err := c.Get(t.Context(), key)
		must(t, err)
		if !found {
			lost++
		}
	}
	t.Logf("%d writes were acknowledged, then %d found no room, of which %d are unknown; %d acknowledged are lost", len(acknowledged), full, unknown, lost)
	if lost > 0 {
		t.Errorf("%d acknowledged writes are lost", lost)
	}
}
