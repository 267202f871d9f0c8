package command

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// The provider forgetful says that it has removed records and keeps them.
func init() {
	jcache.Register(driver.Definition{
		Name: "forgetful",
		Doc:  "Forgets to remove.",
		Open: func(context.Context, driver.Config) (driver.Provider, error) {
			p, err := memory.Connect(memory.Options{})
			return forgetful{p}, err
		},
	})
}

type forgetful struct{ driver.Provider }

func (f forgetful) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := f.Provider.OpenCache(ctx, name, opts)
	return keeper{c}, err
}

type keeper struct{ driver.Cache }

func (keeper) Delete(context.Context, string) error { return nil }

func TestConformanceFailure(t *testing.T) {
	file := filepath.Join(t.TempDir(), "forgetful.yaml")
	if err := os.WriteFile(file, []byte("cacheManager: {provider: forgetful}"), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, problems bytes.Buffer
	status := run(t.Context(), []string{"keepsake", "conformance", "-config", file}, &out, &problems)
	lines := strings.Split(strings.TrimSpace(out.String()), "\n")
	if last := lines[len(lines)-1]; status != 1 || !strings.HasPrefix(last, "conformance: ") || strings.Contains(last, " 0 failed") {
		t.Errorf("status %d, the last line is %q; %s", status, last, problems.String())
	}
	if !strings.Contains(out.String(), "FAIL ") {
		t.Errorf("no failure is shown:\n%s", out.String())
	}
}
