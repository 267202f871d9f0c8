package jcache_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// reserve takes items from the stock of an article. Its variable belongs into a package
// that all servers link.
var reserve = jcache.RegisterProcessor("shop.reserve", jcache.Options[string, int]{}, func(stock *jcache.MutableEntry[string, int], items int) (int, error) {
	n, _, err := stock.Value()
	if err != nil {
		return 0, err
	}
	if n < items {
		return n, errors.New("there are not so many")
	}
	stock.SetValue(n - items)
	return n - items, nil
})

func ExampleRegisterProcessor() {
	ctx := context.Background()
	caches, err := memory.Open(memory.Options{})
	if err != nil {
		panic(err)
	}
	defer caches.Close(ctx) //nolint:errcheck // memory has nothing to lose
	stock, err := jcache.CreateCache(ctx, caches, "stock", jcache.Options[string, int]{})
	if err != nil {
		panic(err)
	}
	if err := stock.Put(ctx, "teapot", 5); err != nil {
		panic(err)
	}

	fmt.Println(reserve.Invoke(ctx, stock, "teapot", 2))
	_, err = reserve.Invoke(ctx, stock, "teapot", 10)
	fmt.Println(errors.Is(err, jcache.ErrProcessor), err)
	// Output:
	// 3 <nil>
	// true jcache: invoke stock (memory): the processor failed: there are not so many
}
