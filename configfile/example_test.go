package configfile_test

import (
	"context"
	"fmt"
	"os"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache"
	_ "github.com/keepsake-cache/keepsake/providers"
)

func Example() {
	cfg, err := configfile.Parse("shop.yaml", []byte(`
cacheManager:
  provider: memory
  cache:
    name: prices
    expiryPolicy: created
    expiry: 10m
`), os.LookupEnv)
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	system, err := cfg.Open(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer system.Close(ctx) //nolint:errcheck // the program ends
	caches, err := system.CacheManager("")
	if err != nil {
		fmt.Println(err)
		return
	}
	prices, err := jcache.GetCache[string, int](ctx, caches, "prices")
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(prices.Put(ctx, "apple", 3))
	fmt.Println(prices.Get(ctx, "apple"))
	// Output:
	// <nil>
	// 3 true <nil>
}

// All problems of a file are reported together.
func ExampleErrors() {
	_, err := configfile.Parse("shop.xml", []byte(`<keepsake>
  <cacheManager provider="memory"/>
  <httpSession invalidationTimout="30m"
               cloneId="a"/>
</keepsake>`), os.LookupEnv)
	fmt.Println(err)
	// Output:
	// shop.xml:3:16: httpSession: unknown name "invalidationTimout"; did you mean invalidationTimeout?
	// shop.xml:4:16: httpSession.cloneId: is refused: the cookie names no server; any server can serve the session, and a balancer can set a cookie of its own
}
