// Command cache is a cache in the memory of the program, and the operations that
// one meets first.
package main

import (
	"context"
	"fmt"
	"log"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

func main() {
	if err := run(context.Background()); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context) error {
	manager, err := memory.Open(memory.Options{})
	if err != nil {
		return err
	}
	defer manager.Close(ctx) //nolint:errcheck // memory has nothing to lose

	greetings, err := jcache.CreateCache(ctx, manager, "greetings", jcache.Options[string, string]{
		ExpiryPolicy: jcache.Created[string, string](time.Hour),
	})
	if err != nil {
		return err
	}
	if err := greetings.Put(ctx, "en", "hello"); err != nil {
		return err
	}
	first, err := greetings.PutIfAbsent(ctx, "en", "good day")
	if err != nil {
		return err
	}
	text, ok, err := greetings.Get(ctx, "en")
	fmt.Println(text, ok, first) // hello true false
	return err
}
