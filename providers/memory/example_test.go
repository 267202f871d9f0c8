package memory_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// A cache of at most two entries that refuses more.
func ExampleOpen() {
	ctx := context.Background()
	caches, err := memory.Open(memory.Options{MaxEntries: 2, WhenFull: memory.Reject})
	if err != nil {
		log.Fatal(err)
	}
	defer caches.Close(ctx) //nolint:errcheck // memory has nothing to lose
	jobs, err := jcache.CreateCache(ctx, caches, "jobs", jcache.Options[int, string]{})
	if err != nil {
		log.Fatal(err)
	}

	for id := range 3 {
		err := jobs.Put(ctx, id, "queued")
		fmt.Println(id, errors.Is(err, jcache.ErrFull))
	}
	// Output:
	// 0 false
	// 1 false
	// 2 true
}
