package jcache_test

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// newCache creates a cache in memory. It is the same on every provider.
func newCache[K comparable, V any](ctx context.Context, name string, opts jcache.Options[K, V]) (c *jcache.Cache[K, V], done func()) {
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		log.Fatal(err)
	}
	if c, err = jcache.CreateCache(ctx, caches, name, opts); err != nil {
		log.Fatal(err)
	}
	return c, func() { _ = caches.Close(ctx) } // memory has nothing to lose
}

func ExampleCache() {
	ctx := context.Background()
	prices, done := newCache(ctx, "prices", jcache.Options[string, float64]{})
	defer done()

	if err := prices.Put(ctx, "teapot", 24.5); err != nil {
		log.Fatal(err)
	}
	price, ok, err := prices.Get(ctx, "teapot")
	fmt.Println(price, ok, err)
	price, ok, err = prices.Get(ctx, "kettle") // what is not there is no error
	fmt.Println(price, ok, err)
	fmt.Println(prices.Remove(ctx, "teapot"))
	// Output:
	// 24.5 true <nil>
	// 0 false <nil>
	// true <nil>
}

// Of many processes that begin the same work, one gets it.
func ExampleCache_PutIfAbsent() {
	ctx := context.Background()
	work, done := newCache(ctx, "work", jcache.Options[string, string]{ExpiryPolicy: jcache.Created[string, string](time.Minute)})
	defer done()

	for _, server := range []string{"server 1", "server 2"} {
		mine, err := work.PutIfAbsent(ctx, "nightly report", server)
		fmt.Println(server, mine, err)
	}
	// Output:
	// server 1 true <nil>
	// server 2 false <nil>
}

// A value is replaced only if it is still the one that was read.
func ExampleCache_CompareAndReplace() {
	ctx := context.Background()
	state, done := newCache(ctx, "orders", jcache.Options[int, string]{})
	defer done()
	if err := state.Put(ctx, 1001, "paid"); err != nil {
		log.Fatal(err)
	}

	fmt.Println(state.CompareAndReplace(ctx, 1001, "paid", "sent"))
	fmt.Println(state.CompareAndReplace(ctx, 1001, "paid", "cancelled")) // too late
	// Output:
	// true <nil>
	// false <nil>
}

func ExampleCache_GetAll() {
	ctx := context.Background()
	names, done := newCache(ctx, "names", jcache.Options[int, string]{})
	defer done()
	if err := names.PutAll(ctx, map[int]string{1: "one", 2: "two", 3: "three"}); err != nil {
		log.Fatal(err)
	}

	found, err := names.GetAll(ctx, 1, 3, 5)
	fmt.Println(found, err)
	// Output: map[1:one 3:three] <nil>
}

func ExampleCache_All() {
	ctx := context.Background()
	stock, done := newCache(ctx, "stock", jcache.Options[string, int]{})
	defer done()
	if err := stock.PutAll(ctx, map[string]int{"teapot": 3, "cup": 12}); err != nil {
		log.Fatal(err)
	}

	items := 0
	for entry, err := range stock.All(ctx) {
		if err != nil {
			log.Fatal(err)
		}
		items += entry.Value
	}
	fmt.Println(items)
	// Output: 15
}

// A view of a cache gives what it writes another life time.
func ExampleCache_WithExpiryPolicy() {
	ctx := context.Background()
	tokens, done := newCache(ctx, "tokens", jcache.Options[string, string]{ExpiryPolicy: jcache.Created[string, string](time.Hour)})
	defer done()
	short := tokens.WithExpiryPolicy(jcache.Created[string, string](time.Minute))
	if err := tokens.Put(ctx, "api", "a"); err != nil {
		log.Fatal(err)
	}
	if err := short.Put(ctx, "reset password", "b"); err != nil {
		log.Fatal(err)
	}

	for _, name := range []string{"api", "reset password"} {
		entry, _, err := tokens.GetEntry(ctx, name)
		fmt.Println(name, time.Until(entry.Deadline).Round(time.Minute), err)
	}
	// Output:
	// api 1h0m0s <nil>
	// reset password 1m0s <nil>
}

// Entries of administrators live shorter than those of others.
type byRole struct{}

func (byRole) OnCreate(_ string, role string) jcache.Expiry {
	if role == "administrator" {
		return jcache.ExpireAfter(10 * time.Minute)
	}
	return jcache.ExpireAfter(8 * time.Hour)
}

func (byRole) OnAccess(string, string) jcache.Expiry { return jcache.KeepExpiry() }

func (p byRole) OnUpdate(name, role string) jcache.Expiry { return p.OnCreate(name, role) }

// An expiry policy of one's own sees the key and the value.
func ExampleExpiryPolicy() {
	ctx := context.Background()
	roles, done := newCache(ctx, "roles", jcache.Options[string, string]{ExpiryPolicy: byRole{}})
	defer done()
	if err := roles.PutAll(ctx, map[string]string{"alice": "administrator", "bob": "clerk"}); err != nil {
		log.Fatal(err)
	}

	for _, name := range []string{"alice", "bob"} {
		entry, _, err := roles.GetEntry(ctx, name)
		fmt.Println(name, time.Until(entry.Deadline).Round(time.Minute), err)
	}
	// Output:
	// alice 10m0s <nil>
	// bob 8h0m0s <nil>
}

// A processor reads and changes an entry in one atomic step.
func ExampleInvoke() {
	ctx := context.Background()
	visits, done := newCache(ctx, "visits", jcache.Options[string, int]{})
	defer done()
	visit := func(_ context.Context, page *jcache.MutableEntry[string, int]) (int, error) {
		n, _, err := page.Value()
		if err != nil {
			return 0, err
		}
		page.SetValue(n + 1)
		return n + 1, nil
	}

	for range 2 {
		fmt.Println(jcache.Invoke(ctx, visits, "/home", visit))
	}
	// Output:
	// 1 <nil>
	// 2 <nil>
}
