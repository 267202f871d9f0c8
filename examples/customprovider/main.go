// Command customprovider shows how a provider is written: provider.go is all of it,
// and main_test.go proves it with the conformance suite.
package main

import (
	"context"
	"fmt"
	"log"

	"github.com/keepsake-cache/keepsake/jcache"
)

func main() {
	ctx := context.Background()
	manager, err := jcache.Open(ctx, jcache.Config{Provider: "tiny"})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close(ctx) //nolint:errcheck // it has nothing to lose
	words, err := jcache.CreateCache(ctx, manager, "words", jcache.Options[string, int]{})
	if err != nil {
		log.Fatal(err)
	}
	for range 3 {
		n, err := jcache.Invoke(ctx, words, "keep", func(_ context.Context, e *jcache.MutableEntry[string, int]) (int, error) {
			n, _, err := e.Value()
			e.SetValue(n + 1)
			return n + 1, err
		})
		fmt.Println(n, err)
	}
}
