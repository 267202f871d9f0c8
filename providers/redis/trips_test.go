package redis_test

import (
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var commandCalls = regexp.MustCompile(`cmdstat_([a-z|]+):calls=(\d+)`)

// commands counts what clients have sent to the server, and what scripts have called.
func commands(t testing.TB, c driver.Cache) map[string]int {
	t.Helper()
	m := ask(t, c, "INFO", "commandstats")
	text, err := m.ToString()
	check(t, err)
	calls := make(map[string]int)
	for _, line := range commandCalls.FindAllStringSubmatch(text, -1) {
		calls[line[1]], err = strconv.Atoi(line[2])
		check(t, err)
	}
	return calls
}

// counted returns how often each command was called meanwhile. Of the reads, twice as many more as there
// were leases of a generation may be for that.
func counted(t testing.TB, c driver.Cache, do func()) (calls func(name string) int, leases int) {
	t.Helper()
	ask(t, c, "PING")
	start, before := time.Now(), commands(t, c)
	do()
	after := commands(t, c)
	return func(name string) int { return after[name] - before[name] }, int(time.Since(start)/time.Second) + 1
}

func TestRoundTrips(t *testing.T) {
	c, _ := start(t)
	ctx := t.Context()
	const n = 20
	check(t, c.Put(ctx, "k", record("x"), time.Time{}))
	token := must(t, c, "k").Token
	keys := make([]string, n)
	entries := make([]driver.Entry, n)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
		entries[i] = driver.Entry{Key: keys[i], Record: record("x")}
	}
	f := driver.FeaturesOf(c)
	for _, op := range []struct {
		name    string
		command string // of which there is one for each
		do      func() error
	}{
		{"Get", "get", func() error { _, _, err := c.Get(ctx, "k"); return err }},
		{"Touch", "evalsha", func() error {
			_, err := f.Toucher.Touch(ctx, "k", token, time.Now().Add(time.Hour))
			return err
		}},
		{"Swap", "evalsha", func() error {
			r := record("y")
			_, _, err := c.Swap(ctx, "k", token, r, time.Time{})
			token.B = r[:driver.WriteIDBytes]
			return err
		}},
		{"Swap, refused", "evalsha", func() error { _, _, err := c.Swap(ctx, "k", driver.Token{}, record("z"), time.Time{}); return err }},
		{"Exchange", "set", func() error { _, _, err := f.Exchanger.Exchange(ctx, "k", record("y"), time.Time{}); return err }},
		{"Put", "set", func() error { return c.Put(ctx, "k", record("x"), time.Now().Add(time.Hour)) }},
		{"Exchange for nothing", "getdel", func() error { _, _, err := f.Exchanger.Exchange(ctx, "k", nil, time.Time{}); return err }},
		{"Delete", "del", func() error { return c.Delete(ctx, "k") }},
	} {
		if op.command == "evalsha" { // the first may send the script's text
			check(t, op.do())
		}
		calls, leases := counted(t, c, func() {
			for range n {
				check(t, op.do())
			}
		})
		if got := calls(op.command); got < n || got > n+2*leases || op.command != "get" && got != n {
			t.Errorf("%s: %d commands %s for %d operations", op.name, got, op.command, n)
		}
		if calls("eval") > 0 {
			t.Errorf("%s: a script's text was sent again", op.name)
		}
	}
	calls, leases := counted(t, c, func() {
		if errs := f.BatchPutter.PutBatch(ctx, entries); errs != nil {
			t.Error(errs)
		}
		items, err := f.BatchGetter.GetBatch(ctx, keys)
		if err != nil || len(items) != n {
			t.Errorf("GetBatch: %d items, %v", len(items), err)
		}
	})
	if calls("set") != n || calls("get") < n || calls("get") > n+2*leases {
		t.Errorf("a batch of %d: %d set, %d get", n, calls("set"), calls("get"))
	}
}
