package redis_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// every returns the writes of a cache, each with an error of its own.
func every(ctx context.Context, c driver.Cache, token driver.Token) map[string]func() error {
	f := driver.FeaturesOf(c)
	later := time.Now().Add(time.Hour)
	return map[string]func() error{
		"Put": func() error { return c.Put(ctx, "k", record("new"), later) },
		"PutBatch": func() error {
			return errors.Join(f.BatchPutter.PutBatch(ctx, []driver.Entry{{Key: "k", Record: record("new")}})...)
		},
		"Swap":     func() error { _, _, err := c.Swap(ctx, "k", token, record("new"), later); return err },
		"Exchange": func() error { _, _, err := f.Exchanger.Exchange(ctx, "k", record("new"), later); return err },
	}
}

// What a server answers instead of doing it, on real servers in such a state.
func TestAnswersOfAServerThatDoesNotServe(t *testing.T) {
	for _, test := range []struct {
		name, text string
		means      error
		args       func(t *testing.T) []string
		damage     func(t *testing.T, c driver.Cache)
	}{
		{"a replica", "is a replica", driver.ErrUnavailable, nil, func(t *testing.T, c driver.Cache) {
			ask(t, c, "REPLICAOF", "127.0.0.1", "1")
		}},
		{"too few replicas", "min-replicas-to-write", driver.ErrUnavailable, nil, func(t *testing.T, c driver.Cache) {
			ask(t, c, "CONFIG", "SET", "min-replicas-to-write", "1")
		}},
		{"full", "maxmemory is used up", driver.ErrFull, nil, func(t *testing.T, c driver.Cache) {
			ask(t, c, "CONFIG", "SET", "maxmemory", "1")
		}},
		{"it cannot save", "cannot save", driver.ErrUnavailable, func(t *testing.T) []string {
			return []string{"--dir", t.TempDir()}
		}, func(t *testing.T, c driver.Cache) {
			config := ask(t, c, "CONFIG", "GET", "dir")
			dir, err := config.AsStrMap()
			check(t, err)
			ask(t, c, "CONFIG", "SET", "save", "3600 1000000")
			check(t, os.Remove(dir["dir"]))
			client := c.(driver.Unwrapper).Unwrap().(rueidis.Client)
			_ = client.Do(t.Context(), client.B().Arbitrary("BGSAVE").Build()).Error()
			eventually(t, "saving fails", func() bool {
				m := ask(t, c, "INFO", "persistence")
				text, _ := m.ToString()
				return strings.Contains(text, "rdb_last_bgsave_status:err")
			})
		}},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var args []string
			if test.args != nil {
				args = test.args(t)
			}
			c, _ := start(t, args...)
			check(t, c.Put(t.Context(), "k", record("old"), time.Time{}))
			token := must(t, c, "k").Token
			test.damage(t, c)
			for name := range every(t.Context(), c, token) {
				ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
				err := every(ctx, c, token)[name]()
				over := ctx.Err() != nil // then the last attempt may have been on its way
				cancel()
				switch {
				case over && errors.Is(err, driver.ErrIndeterminate):
				case !errors.Is(err, test.means) || errors.Is(err, driver.ErrIndeterminate):
					t.Errorf("%s: %v", name, err)
				case !over && !strings.Contains(err.Error(), test.text):
					t.Errorf("%s does not say why: %v", name, err)
				}
			}
			if i := must(t, c, "k"); body(i) != "old" {
				t.Errorf("%q was written although it was refused", body(i))
			}
		})
	}
}

// A write that is refused for the moment is made again, and once.
func TestWritesWaitForAServer(t *testing.T) {
	c, _ := start(t)
	check(t, c.Put(t.Context(), "k", record("old"), time.Time{}))
	token := must(t, c, "k").Token
	ask(t, c, "REPLICAOF", "127.0.0.1", "1")
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var wg sync.WaitGroup
	wg.Go(func() {
		swapped, _, err := c.Swap(ctx, "k", token, record("new"), time.Time{})
		if !swapped || err != nil {
			t.Errorf("Swap: %v, %v", swapped, err)
		}
	})
	eventually(t, "the server has refused", func() bool {
		m := ask(t, c, "INFO", "errorstats")
		text, _ := m.ToString()
		return strings.Contains(text, "errorstat_READONLY")
	})
	ask(t, c, "REPLICAOF", "NO", "ONE")
	wg.Wait()
	if i := must(t, c, "k"); body(i) != "new" {
		t.Errorf("there is %q", body(i))
	}
}

// What needs no room goes on where there is none.
func TestAFullServer(t *testing.T) {
	c, _ := start(t)
	ctx := t.Context()
	check(t, c.Put(ctx, "k", record("old"), time.Now().Add(time.Hour)))
	token := must(t, c, "k").Token
	ask(t, c, "CONFIG", "SET", "maxmemory", "1")
	want := time.Now().Add(2 * time.Hour).Truncate(time.Millisecond)
	if touched, err := c.(driver.Toucher).Touch(ctx, "k", token, want); !touched || err != nil {
		t.Errorf("Touch: %v, %v", touched, err)
	}
	if i := must(t, c, "k"); !i.Deadline.Equal(want) {
		t.Errorf("the deadline is %v, not %v", i.Deadline, want)
	}
	if swapped, _, err := c.Swap(ctx, "k", token, nil, time.Time{}); !swapped || err != nil {
		t.Errorf("remove: %v, %v", swapped, err)
	}
}

// Where scripts are forbidden, it is said what to allow.
func TestScriptsAreForbidden(t *testing.T) {
	for name, args := range map[string][]string{
		"to the user":  {"--user", "app", "on", ">app", "allkeys", "allchannels", "allcommands", "-@scripting"},
		"to everybody": {"--user", "app", "on", ">app", "allkeys", "allchannels", "allcommands", "--rename-command", "EVALSHA", ""},
	} {
		_, err := redis.Connect(t.Context(), patient(redis.Options{Servers: []string{servertest.Redis(t, args...).Addr}, User: "app", Password: "app"}))
		if !errors.Is(err, driver.ErrMisconfigured) || !strings.Contains(err.Error(), "+eval +evalsha") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLogins(t *testing.T) {
	plain := servertest.Redis(t).Addr
	strict := servertest.Redis(t, "--requirepass", "s3cret", "--user", "app", "on", ">apps3cret", "~keepsake:*", "~keepsake@*", "&keepsake:*",
		"+get", "+set", "+getdel", "+del", "+unlink", "+getrange", "+setrange", "+pexpire", "+persist", "+evalsha", "+eval", "+scan", "+ping", "+publish", "+subscribe", "+time", "+zadd", "+zrem", "+zrangebyscore", "+info", "+hello",
		"--user", "reader", "on", ">apps3cret", "~*", "+@read", "+ping", "+hello").Addr
	for _, test := range []struct {
		name  string
		opts  redis.Options
		means error
		text  string
	}{
		{"no password", redis.Options{Servers: []string{strict}}, driver.ErrMisconfigured, "demands a password"},
		{"a wrong one", redis.Options{Servers: []string{strict}, Password: "guess"}, driver.ErrMisconfigured, "refuses the user or the password"},
		{"the default user's", redis.Options{Servers: []string{strict}, Password: "s3cret"}, nil, ""},
		{"a user with little more than is needed", redis.Options{Servers: []string{strict}, User: "app", Password: "apps3cret"}, nil, ""},
		{"a user who may not write", redis.Options{Servers: []string{strict}, User: "reader", Password: "apps3cret"}, driver.ErrMisconfigured, "scripts are forbidden"},
		{"a password where none is needed", redis.Options{Servers: []string{plain}, Password: "s3cret"}, nil, ""},
		{"no such database", redis.Options{Servers: []string{plain}, Database: 99}, driver.ErrMisconfigured, "no database of this number"},
	} {
		t.Run(test.name, func(t *testing.T) {
			p, err := redis.Connect(t.Context(), patient(test.opts))
			if err == nil {
				defer p.Close(t.Context()) //nolint:errcheck // it is not what is tested
			}
			if test.means == nil {
				check(t, err)
				c := open(t, p, "carts")
				for name, write := range every(t.Context(), c, driver.Token{}) {
					if err := write(); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
				check(t, c.(driver.Clearer).Clear(t.Context()))
				w := watch(t, c)
				check(t, c.Put(t.Context(), "k", record("x"), time.Now().Add(time.Millisecond)))
				w.await(t, 1, "expired k <x")
				return
			}
			if !errors.Is(err, test.means) || !strings.Contains(err.Error(), test.text) {
				t.Fatalf("%v", err)
			}
			for _, secret := range []string{"s3cret", "guess"} {
				if strings.Contains(err.Error(), secret) {
					t.Errorf("the error shows the password: %v", err)
				}
			}
		})
	}
}
