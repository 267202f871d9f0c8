package redis_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// A witness writes down what a watcher is told.
type witness struct {
	stop func()
	mu   sync.Mutex
	told []driver.Event
}

func watch(t testing.TB, c driver.Cache) *witness {
	t.Helper()
	w := &witness{}
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	stop, err := c.(driver.Watcher).Watch(ctx, func(e driver.Event) {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.told = append(w.told, e)
	})
	check(t, err)
	w.stop = sync.OnceFunc(stop)
	t.Cleanup(w.stop)
	return w
}

// all returns what was told, as kind key record < old.
func (w *witness) all() (texts []string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, e := range w.told {
		kind := [...]string{"", "put", "removed", "expired", "evicted", "cleared", "gap"}[e.Kind]
		texts = append(texts, strings.TrimSpace(fmt.Sprintf("%s %s %s<%s", kind, e.Key, body(driver.Item{Record: e.Record}), body(driver.Item{Record: e.Old}))))
	}
	return texts
}

// await waits until so much was told that begins so, of servers that serve all the time: there is no gap.
func (w *witness) await(t testing.TB, n int, kind string) {
	t.Helper()
	eventually(t, fmt.Sprintf("%d times %q", n, kind), func() bool { return w.count(kind) >= n || w.count("gap") > 0 })
	if gaps := w.count("gap"); gaps > 0 {
		t.Fatalf("%d gaps", gaps)
	}
}

func (w *witness) count(kind string) (n int) {
	for _, text := range w.all() {
		if strings.HasPrefix(text, kind) {
			n++
		}
	}
	return n
}

// Every write is told, in another process, too, with what it replaced.
func TestEveryWriteIsTold(t *testing.T) {
	server := []string{servertest.Redis(t).Addr}
	c := open(t, connect(t, redis.Options{Servers: server}), "carts")
	other := open(t, connect(t, redis.Options{Servers: server}), "carts")
	f, ctx, later := driver.FeaturesOf(c), t.Context(), time.Now().Add(time.Hour)
	check(t, c.Put(ctx, "k", record("0"), time.Time{}))
	w := watch(t, other)
	check(t, c.Put(ctx, "k", record("1"), later))
	exchanged, existed, err := f.Exchanger.Exchange(ctx, "k", record("2"), later)
	if err != nil || !existed || body(exchanged) != "1" {
		t.Errorf("Exchange: %q, %v, %v", body(exchanged), existed, err)
	}
	swapped, _, err := c.Swap(ctx, "k", must(t, c, "k").Token, record("3"), later)
	if !swapped || err != nil {
		t.Errorf("Swap: %v, %v", swapped, err)
	}
	swapped, current, err := c.Swap(ctx, "k", driver.Token{}, record("refused"), later)
	if swapped || err != nil || body(*current) != "3" {
		t.Errorf("a Swap that is refused: %v, %v, %v", swapped, current, err)
	}
	touched, err := f.Toucher.Touch(ctx, "k", must(t, c, "k").Token, later.Add(time.Hour))
	if !touched || err != nil {
		t.Errorf("Touch: %v, %v", touched, err)
	}
	check(t, errors.Join(f.BatchPutter.PutBatch(ctx, []driver.Entry{{Key: "k", Record: record("4")}, {Key: "l", Record: record("5")}})...))
	swapped, _, err = c.Swap(ctx, "k", must(t, c, "k").Token, nil, time.Time{})
	if !swapped || err != nil {
		t.Errorf("Swap for nothing: %v, %v", swapped, err)
	}
	exchanged, existed, err = f.Exchanger.Exchange(ctx, "l", nil, time.Time{})
	if err != nil || !existed || body(exchanged) != "5" {
		t.Errorf("Exchange for nothing: %q, %v, %v", body(exchanged), existed, err)
	}
	check(t, c.Delete(ctx, "never there"))
	check(t, c.Put(ctx, "k", record("6"), time.Time{}))
	check(t, c.Delete(ctx, "k"))
	check(t, f.Clearer.Clear(ctx))
	check(t, c.Put(ctx, "k", record("7"), time.Time{}))
	want := []string{"put k 1<0", "put k 2<1", "put k 3<2", "put k 4<3", "put l 5<", "removed k <4", "removed l <5", "put k 6<", "removed k <6", "cleared  <", "put k 7<"}
	w.await(t, 1, "put k 7")
	if got := w.all(); !slices.Equal(got, want) {
		t.Errorf("told\n%q, not\n%q", got, want)
	}
}

// Each expiry is told once, however many processes watch and write, and with the record.
func TestEachExpiryIsToldOnce(t *testing.T) {
	server := []string{servertest.Redis(t).Addr}
	var caches []driver.Cache
	for range 3 {
		caches = append(caches, open(t, connect(t, redis.Options{Servers: server}), "carts"))
	}
	const n = 20
	var keys []string
	put := func(kind string, c driver.Cache, deadline time.Time) {
		for i := range n {
			key := fmt.Sprint(kind, i)
			keys = append(keys, key)
			check(t, c.Put(t.Context(), key, record(key), deadline))
		}
	}
	put("unwatched", caches[0], time.Now().Add(time.Hour))
	var watchers []*witness
	for _, c := range caches {
		watchers = append(watchers, watch(t, c))
	}
	eventually(t, "what was written before is looked through", func() bool {
		return number(t, ask(t, caches[0], "ZCARD", "keepsake:carts@deadlines")) == n
	})
	for i, c := range caches {
		put(fmt.Sprint("by", i, "-"), c, time.Now().Add(time.Hour))
	}
	for i, key := range keys { // all are shortened
		c := caches[i%len(caches)]
		touched, err := c.(driver.Toucher).Touch(t.Context(), key, must(t, c, key).Token, time.Now().Add(20*time.Millisecond))
		if !touched || err != nil {
			t.Fatalf("Touch: %v, %v", touched, err)
		}
	}
	put("brief", caches[1], time.Now().Add(time.Millisecond))
	put("dead", caches[2], time.Now().Add(-time.Second))
	for i, w := range watchers {
		w.await(t, len(keys), "expired")
		for _, key := range keys {
			if got := w.count(fmt.Sprintf("expired %s <%s", key, key)); got != 1 {
				t.Errorf("watcher %d was told %d times that %s expired, with its record", i, got, key)
			}
		}
	}
	eventually(t, "no deadlines are left", func() bool { return number(t, ask(t, caches[0], "ZCARD", "keepsake:carts@deadlines")) == 0 })
}

// What has died and is replaced or removed before anybody looked for it has expired, too: that is told once, and first.
func TestTheExpiryOfWhatIsReplacedIsTold(t *testing.T) {
	c, _ := start(t)
	w := watch(t, c)
	const n = 20
	for i := range n {
		key := fmt.Sprintf("k%d.", i)
		check(t, c.Put(t.Context(), key, record("old"), time.Now().Add(time.Millisecond)))
		end := time.Now().Add(2 * time.Millisecond)
		eventually(t, "it is dead", func() bool { return time.Now().After(end) })
		if i%2 == 0 {
			check(t, c.Put(t.Context(), key, record("new"), time.Time{}))
		} else {
			check(t, c.Delete(t.Context(), key))
		}
	}
	check(t, c.Put(t.Context(), "last", record("x"), time.Time{}))
	w.await(t, 1, "put last")
	w.await(t, n, "expired")
	for i := range n {
		key := fmt.Sprintf(" k%d. ", i)
		var told []string
		for _, text := range w.all() {
			if strings.Contains(text, key) {
				told = append(told, strings.Replace(text, key, " ", 1))
			}
		}
		want := []string{"put old<", "expired <old", "put new<"}[:3-i%2]
		if !slices.Equal(told, want) {
			t.Errorf("%s: told %q, not %q", key, told, want)
		}
	}
}

// A record whose life was made longer is looked at again then.
func TestNoExpiryOfWhatLivesOn(t *testing.T) {
	c, _ := start(t)
	w := watch(t, c)
	key := ""
	for life, touched := time.Second, false; !touched; life *= 2 { // long enough for this machine
		key = life.String()
		check(t, c.Put(t.Context(), key, record("x"), time.Now().Add(life)))
		i, found, err := c.Get(t.Context(), key)
		check(t, err)
		if found {
			touched, err = c.(driver.Toucher).Touch(t.Context(), key, i.Token, time.Now().Add(time.Hour))
			check(t, err)
		}
	}
	eventually(t, "the deadline is known", func() bool {
		m := ask(t, c, "ZSCORE", "keepsake:carts@deadlines", "keepsake:carts:"+key)
		at, err := m.AsFloat64()
		return err == nil && time.UnixMilli(int64(at)).After(time.Now().Add(time.Minute))
	})
	if n := w.count("expired " + key + " "); n > 0 {
		t.Error("it is told that it has expired")
	}
	must(t, c, key)
}

// A deadline is noted by the script that writes the record, so that no writer can end in between.
func TestDeadlinesAreNotedInTheStepThatWrites(t *testing.T) {
	c, _ := start(t)
	check(t, c.Put(t.Context(), "early", record("x"), time.Now().Add(time.Hour)))
	watch(t, c)
	eventually(t, "what was written before is looked through", func() bool {
		return number(t, ask(t, c, "ZCARD", "keepsake:carts@deadlines")) == 1
	})
	for name := range c.(driver.Unwrapper).Unwrap().(rueidis.Client).Nodes() {
		conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", name)
		check(t, err)
		defer conn.Close() //nolint:errcheck // nothing was written
		check(t, conn.SetDeadline(time.Now().Add(patience)))
		_, err = conn.Write([]byte("MONITOR\r\n"))
		check(t, err)
		lines := bufio.NewScanner(conn)
		lines.Scan() // OK
		later := time.Now().Add(time.Hour)
		check(t, c.Put(t.Context(), "k", record("x"), later))
		touched, err := c.(driver.Toucher).Touch(t.Context(), "k", must(t, c, "k").Token, later.Add(-time.Minute))
		if !touched || err != nil {
			t.Fatalf("Touch: %v, %v", touched, err)
		}
		for what, write := range every(t.Context(), c, must(t, c, "k").Token) {
			if err := write(); err != nil {
				t.Fatalf("%s: %v", what, err)
			}
		}
		ask(t, c, "ECHO", "done")
		byScripts := 0
		for lines.Scan() && !strings.Contains(lines.Text(), `"ECHO"`) {
			switch line := strings.ToUpper(lines.Text()); {
			case !strings.Contains(line, `"ZADD"`):
			case strings.Contains(line, "LUA]"):
				byScripts++
			default:
				t.Errorf("a deadline is noted on its own: %s", line)
			}
		}
		if byScripts < 4 { // Put, Touch, Put, Exchange, and Swap if it is in time for its token
			t.Errorf("%d deadlines were noted", byScripts)
		}
	}
}

// What nobody has noted is found after a gap.
func TestAnExpiryThatWasNotNotedIsToldAfterAGap(t *testing.T) {
	c, _ := start(t)
	check(t, c.Put(t.Context(), "early", record("x"), time.Now().Add(time.Hour)))
	w := watch(t, c)
	eventually(t, "what was written before is looked through", func() bool {
		return number(t, ask(t, c, "ZCARD", "keepsake:carts@deadlines")) == 1
	})
	check(t, c.Put(t.Context(), "k", record("lost"), time.Now().Add(2*time.Second)))
	ask(t, c, "ZREM", "keepsake:carts@deadlines", "keepsake:carts:k")
	ask(t, c, "CLIENT", "KILL", "TYPE", "pubsub")
	eventually(t, "it is told", func() bool { return w.count("expired k <lost") == 1 })
}

// If the process that tells what has expired ends, another one goes on.
func TestAnotherProcessTellsWhatHasExpired(t *testing.T) {
	server := []string{servertest.Redis(t).Addr}
	first, err := redis.Connect(t.Context(), patient(redis.Options{Servers: server}))
	check(t, err)
	c := open(t, connect(t, redis.Options{Servers: server}), "carts")
	old := watch(t, open(t, first, "carts"))
	eventually(t, "the first one is in charge", func() bool { return number(t, ask(t, c, "EXISTS", "keepsake:carts@charge")) == 1 })
	w := watch(t, c)
	check(t, c.Put(t.Context(), "k", record("x"), time.Now().Add(time.Hour)))
	check(t, first.Close(t.Context()))
	old.stop()
	touched, err := c.(driver.Toucher).Touch(t.Context(), "k", must(t, c, "k").Token, time.Now().Add(10*time.Millisecond))
	if !touched || err != nil {
		t.Fatalf("Touch: %v, %v", touched, err)
	}
	w.await(t, 1, "expired k <x")
}

// Nothing is published while nobody watches.
func TestWhatNobodyWatchesIsNotTold(t *testing.T) {
	c, _ := start(t)
	check(t, c.Put(t.Context(), "k", record("x"), time.Time{}))
	calls, _ := counted(t, c, func() {
		for name, write := range every(t.Context(), c, driver.Token{}) {
			if err := write(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	if n := calls("publish") + calls("zadd"); n > 0 {
		t.Errorf("%d commands although nobody watches", n)
	}
}

// A watcher of a server that is started again is told of the gap, and then of what is done.
func TestWatchersOutliveTheServer(t *testing.T) {
	server := servertest.Redis(t)
	c := open(t, connect(t, redis.Options{Servers: []string{server.Addr}, ConnectTimeout: time.Second, RequestTimeout: time.Second}), "carts")
	w := watch(t, c)
	server.Kill()
	again(t, server.Addr)
	eventually(t, "two gaps", func() bool { return w.count("gap") >= 2 }) // when it is noticed, and when it is over
	eventually(t, "what is done is told again", func() bool {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		_ = c.Put(ctx, "k", record("x"), time.Time{}) // the server may just be starting
		return w.count("put k x<") > 0
	})
}

// A write that nobody can be told of is not acknowledged.
func TestAUserWhoMayNotPublish(t *testing.T) {
	server := servertest.Redis(t, "--user", "app", "on", ">app", "allkeys", "allchannels", "allcommands").Addr
	opts := redis.Options{Servers: []string{server}, User: "app", Password: "app"}
	c := open(t, connect(t, opts), "carts")
	admin := open(t, connect(t, redis.Options{Servers: []string{server}}), "carts")
	ask(t, admin, "SET", "keepsake:carts@watched", "0") // somebody watches
	ask(t, admin, "ACL", "SETUSER", "app", "resetchannels")
	for name := range every(t.Context(), c, driver.Token{}) {
		eventually(t, "it is known that somebody watches", func() bool {
			check(t, admin.Delete(t.Context(), "k"))
			err := every(t.Context(), c, driver.Token{})[name]()
			if err != nil && (!errors.Is(err, driver.ErrIndeterminate) || !strings.Contains(err.Error(), "may not publish")) {
				t.Fatalf("%s: %v", name, err)
			}
			if must(t, admin, "k"); err == nil {
				t.Logf("%s: nobody knows yet", name)
			}
			return err != nil
		})
	}
	if _, err := redis.Connect(t.Context(), patient(opts)); !errors.Is(err, driver.ErrMisconfigured) {
		t.Errorf("Connect: %v", err)
	}
}
