package redis_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/redis"
)

// noScripts begins the options of a server with a user who may execute no scripts.
func noScripts(t *testing.T) redis.Options {
	addr := servertest.Valkey(t, "--user", "app", "on", ">app", "allkeys", "allchannels", "allcommands", "-@scripting").Addr
	return redis.Options{Servers: []string{addr}, User: "app", Password: "app"}
}

// Valkey is as good as Redis.
func TestValkey(t *testing.T) {
	opts := redis.Options{Servers: []string{servertest.Valkey(t).Addr}}
	t.Run("increments", func(t *testing.T) { increments(t, opts) })
	t.Run("events", func(t *testing.T) { everyEvent(t, opts) })
}

// Where scripts are forbidden, values are compared, if the server does that. Only what scripts are needed for is missing.
func TestValuesAreComparedWhereScriptsAreForbidden(t *testing.T) {
	opts := noScripts(t)
	t.Run("increments", func(t *testing.T) { increments(t, opts) })
	t.Run("conformance", func(t *testing.T) {
		conforms(t, "valkey without scripts", opts, append([]driver.Feature{driver.FeatureWatch}, lacking...)...)
	})
}

// A record that has died and is still there is nobody's.
func TestADeadValueIsReplaced(t *testing.T) {
	c := open(t, connect(t, noScripts(t)), "carts")
	deadline := time.Now().Add(time.Millisecond)
	check(t, c.Put(t.Context(), "k", record("dead"), deadline))
	eventually(t, "the deadline passes", func() bool { return time.Now().After(deadline.Add(time.Millisecond)) })
	if swapped, _, err := c.Swap(t.Context(), "k", driver.Token{B: []byte("value of another record")}, record("x"), time.Time{}); swapped || err != nil {
		t.Errorf("Swap of what is not there: %v, %v", swapped, err)
	}
	if swapped, _, err := c.Swap(t.Context(), "k", driver.Token{}, record("new"), time.Time{}); !swapped || err != nil {
		t.Errorf("Swap: %v, %v", swapped, err)
	}
	if i := must(t, c, "k"); body(i) != "new" {
		t.Errorf("there is %q", body(i))
	}
}

// Who can tell nobody writes nothing that others watch.
func TestNothingIsWrittenUntold(t *testing.T) {
	opts := noScripts(t)
	c := open(t, connect(t, opts), "carts")
	opts.User, opts.Password = "", ""
	watched := open(t, connect(t, opts), "carts")
	w := watch(t, watched)
	token := must(t, put(t, watched), "k").Token
	for name, write := range every(t.Context(), c, token) {
		if err := write(); !errors.Is(err, driver.ErrMisconfigured) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Delete(t.Context(), "k"); !errors.Is(err, driver.ErrMisconfigured) {
		t.Errorf("Delete: %v", err)
	}
	if err := driver.FeaturesOf(c).Clearer.Clear(t.Context()); !errors.Is(err, driver.ErrMisconfigured) {
		t.Errorf("Clear: %v", err)
	}
	must(t, c, "k")
	w.await(t, 1, "put k old")
}

func put(t *testing.T, c driver.Cache) driver.Cache {
	t.Helper()
	check(t, c.Put(t.Context(), "k", record("old"), time.Time{}))
	return c
}
