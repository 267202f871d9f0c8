package configfile_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// What several processes share, which the provider shared connects to.
var common atomic.Pointer[memory.Provider]

type sharedProvider struct {
	driver.Provider
	cut *atomic.Bool // it does not reach the store any more
}

// lastOpened is the connection that was opened last.
var lastOpened atomic.Pointer[sharedProvider]

func (p sharedProvider) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	return sharedCache{c, p.cut}, err
}

func (sharedProvider) Close(context.Context) error { return nil }

type sharedCache struct {
	driver.Cache
	cut *atomic.Bool
}

func (c sharedCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	if c.cut.Load() {
		return driver.Item{}, false, driver.ErrUnavailable
	}
	return c.Cache.Get(ctx, key)
}

func (c sharedCache) Info() driver.Info {
	info := c.Cache.Info()
	info.Shared, info.RequestTimeout = true, time.Second
	return info
}

func init() {
	jcache.Register(driver.Definition{
		Name: "shared",
		Doc:  "Is one store for several processes.",
		Settings: []driver.Setting{
			{Name: "servers", Kind: driver.KindList, Doc: "What must be the same.", Agree: func(value any) (string, string) {
				return strings.Join(slices.Sorted(slices.Values(value.([]string))), " "), "entries are not found"
			}},
			{Name: "wait", Kind: driver.KindDuration, Doc: "What need not be the same."},
			{Name: "password", Secret: true, Doc: "What must not be told."},
			setting.StartTimeout(), setting.WhenDown(),
		},
		Open: func(context.Context, driver.Config) (driver.Provider, error) {
			store := common.Load()
			if store == nil {
				return nil, fmt.Errorf("%w: nobody there", driver.ErrUnavailable)
			}
			p := &sharedProvider{store, new(atomic.Bool)}
			lastOpened.Store(p)
			return p, nil
		},
	})
}

// sharing runs a test, in a bubble, whose systems share a store.
func sharing(t *testing.T, test func(t *testing.T, log *logtest.Log)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		store, err := memory.Connect(memory.Options{})
		if err != nil {
			t.Fatal(err)
		}
		common.Store(store)
		t.Cleanup(func() { _ = store.Close(context.Background()) }) // it has no errors
		log := new(logtest.Log)
		before := slog.Default()
		slog.SetDefault(slog.New(slog.NewTextHandler(log, nil)))
		t.Cleanup(func() { slog.SetDefault(before) })
		test(t, log)
	})
}

func health(s *configfile.System) string {
	w := httptest.NewRecorder()
	s.HealthHandler().ServeHTTP(w, httptest.NewRequest("GET", "/healthz", nil))
	return w.Result().Status + "\n" + w.Body.String()
}

const sharedYAML = `
cacheManager:
  provider: shared
  properties: {servers: [a, b], wait: 1s, password: sesame}
  cache: {name: catalog, expiryPolicy: created, expiry: 10m}
httpSession: {cookieName: SHOP}
`

// Processes that agree say nothing, whatever may differ between them.
func TestProcessesThatAgree(t *testing.T) {
	sharing(t, func(t *testing.T, log *logtest.Log) {
		one := open(t, parse(t, "a.yaml", sharedYAML))
		other := open(t, parse(t, "a.yaml", strings.NewReplacer("[a, b]", "[b, a]", "1s", "2s", "sesame", "opensesame").Replace(sharedYAML)))
		time.Sleep(30 * time.Minute)
		for _, s := range []*configfile.System{one, other} {
			if got := health(s); got != "200 OK\nok\n" {
				t.Errorf("health: %s", got)
			}
		}
		if said := log.String(); strings.Contains(said, "differ") {
			t.Errorf("it says %s", said)
		}
	})
}

// Processes that are configured differently say so, at both ends, in the log, in their health and
// without secrets; and no more when one has left or was put right.
func TestProcessesThatDiffer(t *testing.T) {
	for name, c := range map[string]struct {
		from, to string
		want     string // of the first one's health
	}{
		"servers":     {"[a, b]", "[a]", "503 Service Unavailable\nnot safe: properties.servers is a in *, and a b here: entries are not found\ndiffers: properties.servers is a in *, and a b here: entries are not found\n"},
		"cache":       {"10m", "20m", "200 OK\nok\ndiffers: cache catalog is created 20m cbor in *, and created 10m cbor here\n"},
		"idle time":   {"{cookieName: SHOP", "{invalidationTimeout: 1h, cookieName: SHOP", "200 OK\nok\ndiffers: invalidationTimeout of sessions is 1h in *, and 30m here\n"},
		"cookie name": {"SHOP", "CART", "503 Service Unavailable\nnot safe: cookieName of sessions is CART in *, and SHOP here: visitors have another session there\ndiffers: cookieName of sessions is CART in *, and SHOP here: visitors have another session there\n"},
	} {
		t.Run(name, func(t *testing.T) {
			sharing(t, func(t *testing.T, log *logtest.Log) {
				one := open(t, parse(t, "a.yaml", sharedYAML))
				other := open(t, parse(t, "a.yaml", strings.Replace(sharedYAML, c.from, c.to, 1)))
				time.Sleep(time.Minute)
				before, after, _ := strings.Cut(c.want, "*")
				if got := health(one); !strings.HasPrefix(got, before) || !strings.HasSuffix(got, after[strings.LastIndex(after, "*")+1:]) {
					t.Errorf("health: %s", got)
				}
				if got := health(other); !strings.Contains(got, "differs: ") {
					t.Errorf("health of the other one: %s", got)
				}
				said := log.Take()
				if strings.Count(said, "processes of the fleet differ") != 2 || strings.Contains(said, "sesame") {
					t.Errorf("it says %s", said)
				}
				if err := other.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Minute)
				if got := health(one); got != "200 OK\nok\n" {
					t.Errorf("when the other one has left: %s", got)
				}
				if said := log.Take(); strings.Count(said, "do not differ any more") != 1 {
					t.Errorf("it says %s", said)
				}
			})
		})
	}
}

// A process that was started while the store is down is compared with the others as soon as the store is there.
func TestProcessesThatDifferFromOneThatStartedWithoutTheStore(t *testing.T) {
	sharing(t, func(t *testing.T, log *logtest.Log) {
		open(t, parse(t, "a.yaml", strings.Replace(sharedYAML, "10m", "20m", 1)))
		time.Sleep(time.Minute)
		store := common.Swap(nil)
		one := open(t, parse(t, "a.yaml", strings.Replace(sharedYAML, "wait: 1s", "whenDown: start", 1)))
		time.Sleep(time.Minute)
		if got := health(one); !strings.HasPrefix(got, "503 Service Unavailable\nnot ready: the provider has not been reached yet: ") {
			t.Errorf("health without the store: %s", got)
		}
		common.Store(store)
		time.Sleep(time.Minute)
		if got := health(one); !strings.HasPrefix(got, "200 OK\nok\ndiffers: cache catalog is created 20m cbor") {
			t.Errorf("health: %s", got)
		}
		said := log.String()
		for line, want := range map[string]int{"operations fail, or wait until they do": 2, "carried out": 1, "processes of the fleet differ": 2} {
			if n := strings.Count(said, line); n != want {
				t.Errorf("it says %d times %q, want %d:\n%s", n, line, want, said)
			}
		}
	})
}

// Processes of different versions of the module say so, and so do those whose records the others cannot read.
func TestVersionsThatDiffer(t *testing.T) {
	const want = "200 OK\nok\ndiffers: version of Keepsake is "
	sharing(t, func(t *testing.T, log *logtest.Log) {
		defer configfile.SetVersion("v1.2.3")()
		one := open(t, parse(t, "a.yaml", sharedYAML))
		configfile.SetVersion("v1.3.0")
		other := open(t, parse(t, "a.yaml", sharedYAML))
		time.Sleep(time.Minute)
		for s, there := range map[*configfile.System]string{one: "v1.3.0", other: "v1.2.3"} {
			if got := health(s); !strings.HasPrefix(got, want+there) {
				t.Errorf("health: %s, want %s%s", got, want, there)
			}
		}
		if said := log.Take(); strings.Count(said, "processes of the fleet differ") != 2 {
			t.Errorf("it says %s", said)
		}
	})
	for name, c := range map[string]struct{ from, to, want string }{
		"cache":    {"expiry: 10m", "expiry: 10m, codec: json", "differs: cache catalog is created 10m json in "},
		"sessions": {"SHOP", "SHOP, codec: gob", "codec of sessions is gob in "},
	} {
		t.Run(name, func(t *testing.T) {
			sharing(t, func(t *testing.T, _ *logtest.Log) {
				one := open(t, parse(t, "a.yaml", sharedYAML))
				open(t, parse(t, "a.yaml", strings.Replace(sharedYAML, c.from, c.to, 1)))
				time.Sleep(time.Minute)
				if got := health(one); !strings.Contains(got, c.want) {
					t.Errorf("health: %s, want %s", got, c.want)
				}
			})
		})
	}
}

// A process whose format of records this one cannot read is told of, too.
func TestRecordsOfAnotherFormat(t *testing.T) {
	sharing(t, func(t *testing.T, log *logtest.Log) {
		c, err := common.Load().OpenCache(t.Context(), "_processes", driver.CacheOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range 8 {
			if err := c.Put(t.Context(), strconv.Itoa(i), []byte("what a later version wrote"), time.Time{}); err != nil {
				t.Fatal(err)
			}
		}
		s := open(t, parse(t, "a.yaml", sharedYAML))
		time.Sleep(time.Minute)
		if got := health(s); !strings.Contains(got, "neither can read the other's sessions and entries") || !strings.HasPrefix(got, "503") {
			t.Errorf("health: %s", got)
		}
		if said := log.Take(); strings.Count(said, "processes of the fleet differ") != 1 {
			t.Errorf("it says %s", said)
		}
	})
}

// What Reload applies, the others hear of.
func TestProcessesHearOfReload(t *testing.T) {
	sharing(t, func(t *testing.T, _ *logtest.Log) {
		one, other := open(t, parse(t, "a.yaml", sharedYAML)), open(t, parse(t, "a.yaml", sharedYAML))
		next := strings.Replace(sharedYAML, "SHOP", "CART", 1)
		for _, step := range []struct {
			s    *configfile.System
			want string
		}{{one, "differs: cookieName"}, {other, "200 OK\nok\n"}} {
			if _, err := step.s.Reload(parse(t, "a.yaml", next)); err != nil {
				t.Fatal(err)
			}
			time.Sleep(2 * time.Minute)
			for _, s := range []*configfile.System{one, other} {
				if got := health(s); !strings.Contains(got, step.want) {
					t.Errorf("health: %s, want %s", got, step.want)
				}
			}
		}
	})
}

// Of processes that have ended without a word nothing is said after some minutes, nor by those
// that begin later.
func TestProcessesThatAreGone(t *testing.T) {
	sharing(t, func(t *testing.T, log *logtest.Log) {
		one := open(t, parse(t, "a.yaml", sharedYAML))
		open(t, parse(t, "a.yaml", strings.Replace(sharedYAML, "SHOP", "CART", 1)))
		time.Sleep(time.Minute)
		if got := health(one); !strings.Contains(got, "differs: cookieName") {
			t.Errorf("while both live: %s", got)
		}
		lastOpened.Load().cut.Store(true)
		time.Sleep(5 * time.Minute)
		if got := health(one); got != "200 OK\nok\n" {
			t.Errorf("when the other one is gone: %s", got)
		}
		log.Take()
		open(t, parse(t, "a.yaml", sharedYAML))
		time.Sleep(10 * time.Minute)
		if said := log.Take(); strings.Contains(said, "processes of the fleet differ") {
			t.Errorf("one that begins later says %s", said)
		}
	})
}

// Clocks that are apart are found out, and both say so.
func TestProcessesWhoseClocksDiffer(t *testing.T) {
	for skew, want := range map[time.Duration][2]string{
		time.Second:      {"200 OK\nok\n", "200 OK\nok\n"},
		8 * time.Second:  {"200 OK\nok\ndiffers: clock is ", "200 OK\nok\ndiffers: clock is "},
		90 * time.Second: {"503 Service Unavailable\nnot safe: clock is ", "503 Service Unavailable\nnot safe: clock is "},
		-3 * time.Hour:   {"503 Service Unavailable\nnot safe: clock is ", "503 Service Unavailable\nnot safe: clock is "},
	} {
		t.Run(skew.String(), func(t *testing.T) {
			sharing(t, func(t *testing.T, _ *logtest.Log) {
				cfg := parse(t, "a.yaml", sharedYAML)
				configfile.SetClock(cfg, func() time.Time { return time.Now().Add(skew) })
				systems := []*configfile.System{open(t, parse(t, "a.yaml", sharedYAML)), open(t, cfg)}
				time.Sleep(15 * time.Minute)
				for i, s := range systems {
					if got := health(s); !strings.HasPrefix(got, want[i]) {
						t.Errorf("the %dth: %s", i, got)
					}
				}
			})
		})
	}
}

// Health implements driver.Reporter: one server has another time.
func (p sharedProvider) Health() driver.Health {
	return driver.Health{Servers: []driver.Server{{Name: "a:1", Ahead: time.Duration(serverAhead.Load())}}}
}

// serverAhead is what the clock of the shared store's server is ahead.
var serverAhead atomic.Int64

// A server with another time is named, too.
func TestServersWhoseClocksDiffer(t *testing.T) {
	defer serverAhead.Store(0)
	for ahead, want := range map[time.Duration]string{
		3 * time.Second:  "200 OK\nok\n",
		90 * time.Second: "200 OK\nok\ndiffers: clock is 1m30s or more ahead in the server a:1\n",
		-5 * time.Second: "200 OK\nok\ndiffers: clock is 5s or more behind in the server a:1\n",
		-1 * time.Second: "200 OK\nok\n",
	} {
		sharing(t, func(t *testing.T, log *logtest.Log) {
			serverAhead.Store(int64(ahead))
			s := open(t, parse(t, "a.yaml", sharedYAML))
			time.Sleep(time.Minute)
			if got := health(s); got != want {
				t.Errorf("%v: %s", ahead, got)
			}
			if said := strings.Count(log.Take(), "processes of the fleet differ"); said > 1 || (said == 1) != strings.Contains(want, "differs") {
				t.Errorf("%v: it says so %d times", ahead, said)
			}
		})
	}
}

// Web servers that list other memcached servers do not find each other's sessions.
func TestServerListsThatDiffer(t *testing.T) {
	a, b := servertest.Memcached(t), servertest.Memcached(t)
	file := func(servers ...string) string {
		return "cacheManager: {provider: memcached, properties: {servers: [" + strings.Join(servers, ", ") + "]}}"
	}
	one := open(t, parse(t, "a.yaml", file(a.Addr, b.Addr)))
	other := open(t, parse(t, "a.yaml", file(b.Addr)))
	same := open(t, parse(t, "a.yaml", file(b.Addr, a.Addr)))
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for s, want := range map[*configfile.System]int{one: 1, other: 2, same: 1} {
		deadline := time.Now().Add(40 * time.Second)
		for h := s.Health(); len(h.Differences) != want || h.Safe(); h = s.Health() {
			if time.Now().After(deadline) {
				t.Fatalf("%d differences, want %d: %s", len(h.Differences), want, health(s))
			}
			<-tick.C
		}
	}
}
