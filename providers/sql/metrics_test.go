package sql_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/metrics"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestMetrics: the pools of connections can be watched, and docs/operations.md has every name.
func TestMetrics(t *testing.T) {
	file := filepath.Join(t.TempDir(), "caches.db")
	p := connect(t, sql.Options{URL: "sqlite:" + file})
	manager, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "sql"})
	must(t, err)
	t.Cleanup(func() { _ = manager.Close(context.Background()) })
	c, err := p.OpenCache(t.Context(), "sessions", driver.CacheOptions{})
	must(t, err)
	must(t, c.Put(t.Context(), "a", record(1, "one"), time.Time{}))
	registry := prometheus.NewPedanticRegistry()
	registry.MustRegister(metrics.Provider(manager))
	if problems, err := testutil.GatherAndLint(registry); err != nil || len(problems) > 0 {
		t.Errorf("the metrics are not as they should be: %v, %v", problems, err)
	}
	want := fmt.Sprintf(`
# HELP keepsake_sql_max_connections Connections that may be open at once; 0: any number.
# TYPE keepsake_sql_max_connections gauge
keepsake_sql_max_connections{pool="reads",server="%[1]s"} 16
keepsake_sql_max_connections{pool="writes",server="%[1]s"} 1
`, file)
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "keepsake_sql_max_connections"); err != nil {
		t.Error(err)
	}
	page, err := os.ReadFile("../../docs/operations.md")
	must(t, err)
	for _, m := range p.Measures() {
		if !strings.Contains(string(page), "`keepsake_"+m.Name+"{server,pool}`") {
			t.Errorf("docs/operations.md does not have keepsake_%s", m.Name)
		}
	}
}
