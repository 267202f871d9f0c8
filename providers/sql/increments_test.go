package sql_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

// TestIncrements: of 4,000 increments by eight writers of two processes none is lost, and a watcher in a third
// one hears of each, in their order. The race detector makes the processes many times slower; make test runs it
// without.
func TestIncrements(t *testing.T) {
	if raceEnabled {
		t.Skip("SKIPPED: make test runs it without the race detector")
	}
	const wanted = 4000
	for _, database := range databases {
		t.Run(database.name, func(t *testing.T) {
			url := database.url(t)
			c := counters{caches: []driver.Cache{open(t, connect(t, sql.Options{URL: url}), driver.CacheOptions{})}}
			h := listen(t, c.caches[0])
			outputs := make([]string, 2)
			var wg sync.WaitGroup
			for i := range outputs {
				wg.Go(func() {
					cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestWriter$", "-test.v")
					cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %d %s", writerTask, i, wanted/len(outputs), url))
					out, err := cmd.CombinedOutput()
					outputs[i] = string(out)
					if err != nil {
						t.Errorf("process %d: %v\n%s", i, err, out)
					}
				})
			}
			wg.Wait()
			acknowledged, unknown := 0, 0
			for _, out := range outputs {
				var some, more int
				_, text, _ := strings.Cut(out, writerReport)
				if _, err := fmt.Sscan(text, &some, &more); err != nil {
					t.Fatalf("a process printed:\n%s", out)
				}
				acknowledged, unknown = acknowledged+some, unknown+more
			}
			counted := int(c.sum(t))
			t.Logf("%d acknowledged increments, %d unknown; %d counted", acknowledged, unknown, counted)
			if acknowledged < wanted || counted < acknowledged || counted > acknowledged+unknown {
				t.Errorf("%d increments are acknowledged, want %d; %d are counted, and %d may be", acknowledged, wanted, counted, unknown)
			}
			eventually(t, "the watcher has heard of every increment", func() bool { return h.heard(counted) })
		})
	}
}

// A hearer counts what it hears of increments, which begin with 1 and leave none out, unless it is told of a gap.
type hearer struct {
	mu   sync.Mutex
	last map[string]int
	gap  bool
}

func listen(t *testing.T, c driver.Cache) *hearer {
	h := &hearer{last: make(map[string]int)}
	stop, err := driver.FeaturesOf(c).Watcher.Watch(t.Context(), func(e driver.Event) {
		h.mu.Lock()
		defer h.mu.Unlock()
		if h.gap = h.gap || e.Kind == driver.EventGap; h.gap {
			return
		}
		n, err := strconv.Atoi(string(e.Record[min(len(e.Record), driver.WriteIDBytes):]))
		if e.Kind != driver.EventPut || err != nil || n != h.last[e.Key]+1 {
			t.Errorf("after %d of %s, the watcher hears of %d: kind %d, error %v", h.last[e.Key], e.Key, n, e.Kind, err)
		}
		h.last[e.Key] = n
	})
	must(t, err)
	t.Cleanup(stop)
	return h
}

// heard reports whether it has heard of so many increments, or was told that it has not.
func (h *hearer) heard(counted int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, n := range h.last {
		counted -= n
	}
	return counted == 0 || h.gap
}

// writerTask names the variable that makes this program one of two processes: its number, how many
// increments it makes, and the database.
const writerTask = "KEEPSAKE_SQL_WRITER"

// writerReport stands before how many of its increments were acknowledged, and how many are unknown.
const writerReport = "increments: "

// TestWriter is the other processes of TestIncrements.
func TestWriter(t *testing.T) {
	var process int
	var wanted int64
	var url string
	if _, err := fmt.Sscan(os.Getenv(writerTask), &process, &wanted, &url); err != nil {
		t.Skip("it is started by other tests")
	}
	var c counters
	for range 2 {
		c.caches = append(c.caches, open(t, connect(t, sql.Options{URL: url}), driver.CacheOptions{}))
	}
	c.ids.Store(int64(process) << 24) // which no other process gives its records
	var wg sync.WaitGroup
	for i := range writers / 2 {
		wg.Go(func() { c.count(t.Context(), i, wanted) })
	}
	wg.Wait()
	fmt.Println(writerReport, c.acknowledged.Load(), c.unknown.Load())
}

// counters are the records that writers count in.
type counters struct {
	caches                         []driver.Cache
	acknowledged, unknown, refused atomic.Int64
	ids                            atomic.Int64
}

const (
	writers     = 8
	counterKeys = 4
)

// count counts up, in a key that another writer uses through the other provider, until enough is acknowledged.
func (c *counters) count(ctx context.Context, writer int, wanted int64) {
	cache, key := c.caches[writer%2], strconv.Itoa(writer/2%counterKeys)
	for c.acknowledged.Load() < wanted && ctx.Err() == nil {
		item, found, err := cache.Get(ctx, key)
		if err != nil {
			c.refused.Add(1)
			continue
		}
		n := 0
		if found {
			n, _ = strconv.Atoi(string(item.Record[driver.WriteIDBytes:]))
		}
		swapped, _, err := cache.Swap(ctx, key, item.Token, record(int(c.ids.Add(1)), strconv.Itoa(n+1)), time.Time{})
		switch {
		case errors.Is(err, driver.ErrIndeterminate):
			c.unknown.Add(1)
		case err != nil:
			c.refused.Add(1)
		case swapped:
			c.acknowledged.Add(1)
		}
	}
}

func (c *counters) sum(t *testing.T) (sum int64) {
	for i := range counterKeys {
		item, found, err := c.caches[0].Get(t.Context(), strconv.Itoa(i))
		must(t, err)
		if found {
			n, err := strconv.ParseInt(string(item.Record[driver.WriteIDBytes:]), 10, 64)
			must(t, err)
			sum += n
		}
	}
	return sum
}
