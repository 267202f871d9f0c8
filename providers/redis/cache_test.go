package redis_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

func TestKeysAreReadableAndApart(t *testing.T) {
	server := []string{servertest.Redis(t).Addr}
	one := open(t, connect(t, redis.Options{Servers: server}), "sessions")
	two := open(t, connect(t, redis.Options{Servers: server, Prefix: "shop"}), "sessions")
	elsewhere := open(t, connect(t, redis.Options{Servers: server, Database: 3}), "sessions")
	check(t, one.Put(t.Context(), "a:1", record("one"), time.Time{}))
	for name, other := range map[string]driver.Cache{"prefix": two, "database": elsewhere} {
		if _, found, err := other.Get(t.Context(), "a:1"); found || err != nil {
			t.Errorf("another %s: found %v, %v", name, found, err)
		}
	}
	m := ask(t, one, "GET", "keepsake:sessions:a:1")
	if value, _ := m.ToString(); !strings.HasSuffix(value, "one") {
		t.Errorf("redis-cli sees %q under the readable key", value)
	}
}

func TestUnixSocket(t *testing.T) {
	socket := t.TempDir() + "/redis.sock"
	servertest.Redis(t, "--unixsocket", socket)
	c := open(t, connect(t, redis.Options{Servers: []string{"unix:" + socket}}), "carts")
	check(t, c.Put(t.Context(), "k", record("one"), time.Time{}))
	must(t, c, "k")
}

// The server keeps a record ten seconds longer than it lives, and nobody sees it.
func TestADeadRecordIsAbsentThoughTheServerHasIt(t *testing.T) {
	c, _ := start(t)
	deadline := time.Now().Add(30 * time.Millisecond).Truncate(time.Millisecond)
	check(t, c.Put(t.Context(), "k", record("dead"), deadline))
	eventually(t, "the deadline passes", func() bool { return time.Now().After(deadline) })
	if number(t, ask(t, c, "PTTL", "keepsake:carts:k")) < 0 {
		t.Skip("SKIPPED: the machine took more than ten seconds for that")
	}
	if _, found, err := c.Get(t.Context(), "k"); found || err != nil {
		t.Errorf("Get: found %v, %v", found, err)
	}
	swapped, _, err := c.Swap(t.Context(), "k", driver.Token{}, record("new"), time.Time{})
	if !swapped || err != nil {
		t.Errorf("Swap for an absent key: %v, %v", swapped, err)
	}
}

func TestTouchDoesNotWriteTheRecordAgain(t *testing.T) {
	c, _ := start(t)
	check(t, c.Put(t.Context(), "k", record(strings.Repeat("x", 1<<20)), time.Now().Add(time.Hour)))
	before, token := stat(t, c, "stats", "total_net_input_bytes"), must(t, c, "k").Token
	want := time.Now().Add(2 * time.Hour).Truncate(time.Millisecond)
	touched, err := c.(driver.Toucher).Touch(t.Context(), "k", token, want)
	if !touched || err != nil {
		t.Fatalf("Touch: %v, %v", touched, err)
	}
	if sent := stat(t, c, "stats", "total_net_input_bytes") - before; sent > 10_000 {
		t.Errorf("the server received %d bytes", sent)
	}
	if i := must(t, c, "k"); !i.Deadline.Equal(want) || string(i.Token.B) != string(token.B) {
		t.Errorf("the deadline is %v, not %v, or the token has changed", i.Deadline, want)
	}
}

// A server that is restarted, or that another one replaces, has no scripts.
func TestScriptsAreSentAgain(t *testing.T) {
	c, _ := start(t)
	for range 2 {
		ask(t, c, "SCRIPT", "FLUSH", "SYNC")
		key := "k" + time.Now().String()
		swapped, _, err := c.Swap(t.Context(), key, driver.Token{}, record("one"), time.Time{})
		if !swapped || err != nil {
			t.Fatalf("Swap: %v, %v", swapped, err)
		}
	}
	if n := stat(t, c, "errorstats", "errorstat_NOSCRIPT"); n < 2 {
		t.Errorf("%d answers were NOSCRIPT", n)
	}
}

// A string that is no record is undecodable, and can be replaced by what does not depend on it. A value of
// another type is a mistake. It is all the same whether somebody watches or not.
func TestForeignValues(t *testing.T) {
	const key = "k"
	type outcome struct {
		means    error
		replaced bool
	}
	refused := func(means error) outcome { return outcome{means, false} }
	for _, watched := range []bool{false, true} {
		c, _ := start(t)
		if watched {
			watch(t, c)
		}
		f := driver.FeaturesOf(c)
		for _, test := range []struct {
			name           string
			do             func() error
			string, others outcome
		}{
			{"Get", func() error { _, _, err := c.Get(t.Context(), key); return err },
				refused(jcache.ErrUndecodable), refused(driver.ErrMisconfigured)},
			{"Swap", func() error {
				swapped, _, err := c.Swap(t.Context(), key, driver.Token{}, record("mine"), time.Time{})
				if swapped {
					t.Error("it was swapped")
				}
				return err
			}, refused(jcache.ErrUndecodable), refused(driver.ErrMisconfigured)},
			{"Touch", func() error {
				_, err := f.Toucher.Touch(t.Context(), key, driver.Token{B: []byte("01234567")}, time.Now().Add(time.Hour))
				return err
			}, refused(jcache.ErrUndecodable), refused(driver.ErrMisconfigured)},
			{"Exchange", func() error {
				_, _, err := f.Exchanger.Exchange(t.Context(), key, record("mine"), time.Time{})
				return err
			},
				outcome{jcache.ErrUndecodable, true}, refused(driver.ErrMisconfigured)},
			{"Exchange for nothing", func() error { _, _, err := f.Exchanger.Exchange(t.Context(), key, nil, time.Time{}); return err },
				outcome{jcache.ErrUndecodable, true}, refused(driver.ErrMisconfigured)},
			{"Put", func() error { return c.Put(t.Context(), key, record("mine"), time.Time{}) }, outcome{nil, true}, outcome{nil, true}},
			{"Delete", func() error { return c.Delete(t.Context(), key) }, outcome{nil, true}, outcome{nil, true}},
		} {
			const name = "keepsake:carts:" + key
			for _, value := range []string{"somebody's", "K1", "K1\x00\x00\x00\x00\x00\x001234567", "K2\x00\x00\x00\x00\x00\x0012345678"} {
				ask(t, c, "SET", name, value)
				err := test.do()
				now := word(t, c, "GET", name)
				if !errors.Is(err, test.string.means) || (now != value) != test.string.replaced {
					t.Errorf("watched %v: %s of %q: %v, and there is %q", watched, test.name, value, err, now)
				}
			}
			ask(t, c, "DEL", name)
			ask(t, c, "LPUSH", name, "somebody's")
			err := test.do()
			now := word(t, c, "TYPE", name)
			if !errors.Is(err, test.others.means) || (now != "list") != test.others.replaced {
				t.Errorf("watched %v: %s of a list: %v, and there is a %s", watched, test.name, err, now)
			}
			if err != nil && strings.Contains(err.Error(), "somebody") {
				t.Errorf("%s: the error shows the value: %v", test.name, err)
			}
			ask(t, c, "DEL", name)
		}
	}
}

// A generation that is no number is nothing that a cache can do without.
func TestAGenerationThatIsNoNumber(t *testing.T) {
	for _, value := range []string{"x", "", "0"} {
		c, _ := start(t)
		ask(t, c, "SET", "keepsake:carts@generation", value)
		if _, _, err := c.Get(t.Context(), "k"); !errors.Is(err, driver.ErrMisconfigured) {
			t.Errorf("Get: %v", err)
		}
		if err := c.Put(t.Context(), "k", record("x"), time.Time{}); !errors.Is(err, driver.ErrMisconfigured) {
			t.Errorf("Put: %v", err)
		}
		if err := c.(driver.Clearer).Clear(t.Context()); value != "0" && (!errors.Is(err, driver.ErrMisconfigured) || !strings.Contains(err.Error(), "is not a number")) {
			t.Errorf("Clear: %v", err)
		}
	}
}
