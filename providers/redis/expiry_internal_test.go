package redis

import (
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servertest"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Where a writer may end before it has noted a deadline, as in a cluster, the records are looked through again.
func TestExpiriesThatWereNotNotedAreFound(t *testing.T) {
	p, err := Connect(t.Context(), Options{Servers: []string{servertest.Redis(t).Addr}, ConnectTimeout: 15 * time.Second, RequestTimeout: 15 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context()) //nolint:errcheck // it is not what is tested
	p.looks = 10 * time.Millisecond
	opened, err := p.OpenCache(t.Context(), "carts", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	c := opened.(*cache)
	told := make(chan string, 100)
	stop, err := c.Watch(t.Context(), func(e driver.Event) {
		if e.Kind == driver.EventExpired {
			told <- e.Key
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, key := range []string{"one", "two"} { // the first may be found by the first look
		value := string(seal([]byte("01234567x"), time.Now().Add(time.Millisecond)))
		m := p.client.Do(t.Context(), p.client.B().Set().Key(c.base+":"+key).Value(value).PxMilliseconds(time.Minute.Milliseconds()).Build())
		if err := m.Error(); err != nil {
			t.Fatal(err)
		}
		select {
		case got := <-told:
			if got != key {
				t.Errorf("it is told that %s has expired, not %s", got, key)
			}
		case <-time.After(time.Minute):
			t.Fatalf("%s expires and is not told", key)
		}
	}
}
