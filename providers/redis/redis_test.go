package redis_test

import (
	"context"
	"encoding/binary"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// patience is for what must come, however busy the machine is.
const patience = 60 * time.Second

// connect opens a connection that ends with the test. Its timeouts are for a busy machine.
func connect(t testing.TB, opts redis.Options) *redis.Provider {
	t.Helper()
	p, err := redis.Connect(t.Context(), patient(opts))
	if err != nil {
		t.Fatalf("Connect: %v", err)
	}
	t.Cleanup(func() {
		if err := p.Close(context.Background()); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return p
}

func patient(opts redis.Options) redis.Options {
	if opts.ConnectTimeout == 0 {
		opts.ConnectTimeout = patience / 4
	}
	if opts.RequestTimeout == 0 {
		opts.RequestTimeout = patience / 4
	}
	return opts
}

func open(t testing.TB, p *redis.Provider, name string) driver.Cache {
	t.Helper()
	c, err := p.OpenCache(t.Context(), name, driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// start opens a cache on a server of its own.
func start(t testing.TB, args ...string) (driver.Cache, *redis.Provider) {
	t.Helper()
	p := connect(t, redis.Options{Servers: []string{servertest.Redis(t, args...).Addr}})
	return open(t, p, "carts"), p
}

// again starts a server where one was.
func again(t testing.TB, addr string, args ...string) *servers.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	p, err := servers.RedisAt(ctx, addr, args...)
	check(t, err)
	t.Cleanup(p.Kill)
	return p
}

var writes atomic.Uint64

// record has an identifier of its own.
func record(body string) []byte {
	return append(binary.BigEndian.AppendUint64(nil, writes.Add(1)), body...)
}

func body(i driver.Item) string {
	if len(i.Record) < driver.WriteIDBytes {
		return ""
	}
	return string(i.Record[driver.WriteIDBytes:])
}

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// must returns what is under a key.
func must(t testing.TB, c driver.Cache, key string) driver.Item {
	t.Helper()
	i, found, err := c.Get(t.Context(), key)
	if err != nil || !found {
		t.Fatalf("Get %s: found %v, %v", key, found, err)
	}
	return i
}

// ask sends a command of a test's own.
func ask(t testing.TB, c driver.Cache, words ...string) rueidis.RedisMessage {
	t.Helper()
	client := c.(driver.Unwrapper).Unwrap().(rueidis.Client)
	m, err := client.Do(t.Context(), client.B().Arbitrary(words...).Build()).ToMessage()
	if err != nil && !rueidis.IsRedisNil(err) {
		t.Fatalf("%s: %v", words[0], err)
	}
	return m
}

// word is the text that a command was answered with, or nothing.
func word(t testing.TB, c driver.Cache, words ...string) string {
	t.Helper()
	m := ask(t, c, words...)
	text, err := m.ToString()
	if err != nil && !m.IsNil() {
		t.Fatalf("%s: %v", words[0], err)
	}
	return text
}

// number is what a command was answered.
func number(t testing.TB, m rueidis.RedisMessage) int64 {
	t.Helper()
	n, err := m.AsInt64()
	check(t, err)
	return n
}

// stat returns a number of the server's INFO.
func stat(t testing.TB, c driver.Cache, section, name string) int {
	t.Helper()
	m := ask(t, c, "INFO", section)
	info, err := m.ToString()
	check(t, err)
	_, after, _ := strings.Cut("\r\n"+info, "\r\n"+name+":")
	value, _, _ := strings.Cut(after, "\r\n")
	n, err := strconv.Atoi(strings.TrimPrefix(value, "count="))
	check(t, err)
	return n
}

// eventually waits until something is so.
func eventually(t testing.TB, what string, so func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !so(); {
		if time.Now().After(end) {
			t.Fatalf("never: %s", what)
		}
		time.Sleep(5 * time.Millisecond)
	}
}
