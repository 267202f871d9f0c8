// Package faulty wraps a driver whose calls go wrong where a test wants them to.
package faulty

import (
	"context"
	"fmt"
	"iter"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A Fault is what happens to a call.
type Fault uint8

// The faults. A call that writes nothing knows only None, Refused and Hangs; the
// others are Refused to it.
const (
	None        Fault = iota
	Refused           // ErrUnavailable: nothing is applied
	LostApplied       // ErrIndeterminate, although it is applied
	LostDropped       // ErrIndeterminate, and it is never applied
	LostLate          // ErrIndeterminate, and it is applied at the next Deliver
	Hangs             // the call waits for the end of its context, and is not applied
)

// A Call is what a plan decides on.
type Call struct {
	// Op is the method's name.
	Op string
	// Key is empty for calls on the whole cache.
	Key string
}

// A Provider is another provider with faults.
type Provider struct {
	driver.Provider
	plan func(Call) Fault

	mu   sync.Mutex
	late []func()
}

// New wraps a provider. The plan is asked about each call; it may be called by many
// goroutines at once, and may call Deliver.
func New(p driver.Provider, plan func(Call) Fault) *Provider {
	return &Provider{Provider: p, plan: plan}
}

// Deliver applies the calls that were LostLate until now.
func (p *Provider) Deliver() {
	p.mu.Lock()
	late := p.late
	p.late = nil
	p.mu.Unlock()
	for _, apply := range late {
		apply()
	}
}

// OpenCache implements driver.Provider.
func (p *Provider) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := p.Provider.OpenCache(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return &cache{c, p, driver.FeaturesOf(c)}, nil
}

type cache struct {
	driver.Cache
	p *Provider
	f driver.Features
}

// Features passes on what the wrapped cache has. Calls of Watcher, Locker, Locality,
// Unwrapper and Prolonger have no faults.
func (c *cache) Features() driver.Features {
	f := c.f
	if f.BatchGetter != nil {
		f.BatchGetter = c
	}
	if f.BatchPutter != nil {
		f.BatchPutter = c
	}
	if f.Exchanger != nil {
		f.Exchanger = c
	}
	if f.Toucher != nil {
		f.Toucher = c
	}
	if f.Invoker != nil {
		f.Invoker = c
	}
	if f.Scanner != nil {
		f.Scanner = c
	}
	if f.Clearer != nil {
		f.Clearer = c
	}
	if f.Sizer != nil {
		f.Sizer = c
	}
	return f
}

// read makes a call that changes nothing.
func (c *cache) read(ctx context.Context, op, key string, call func()) error {
	switch c.p.plan(Call{Op: op, Key: key}) {
	case None:
		call()
		return nil
	case Hangs:
		<-ctx.Done()
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, ctx.Err())
	}
	return driver.ErrUnavailable
}

// write makes a call that changes something.
func (c *cache) write(ctx context.Context, call Call, apply func(ctx context.Context) error) error {
	switch c.p.plan(call) {
	case Refused:
		return driver.ErrUnavailable
	case LostApplied:
		if err := apply(ctx); err != nil {
			return err
		}
		return driver.ErrIndeterminate
	case LostDropped:
		return driver.ErrIndeterminate
	case LostLate:
		c.p.mu.Lock()
		defer c.p.mu.Unlock()
		c.p.late = append(c.p.late, func() { _ = apply(context.WithoutCancel(ctx)) }) // nobody hears of it
		return driver.ErrIndeterminate
	case Hangs:
		<-ctx.Done()
		return fmt.Errorf("%w: %w", driver.ErrIndeterminate, ctx.Err())
	}
	return apply(ctx)
}

func (c *cache) Get(ctx context.Context, key string) (item driver.Item, found bool, err error) {
	if fault := c.read(ctx, "Get", key, func() { item, found, err = c.Cache.Get(ctx, key) }); fault != nil {
		return driver.Item{}, false, fault
	}
	return item, found, err
}

func (c *cache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	return c.write(ctx, Call{Op: "Put", Key: key}, func(ctx context.Context) error { return c.Cache.Put(ctx, key, record, deadline) })
}

func (c *cache) Delete(ctx context.Context, key string) error {
	return c.write(ctx, Call{Op: "Delete", Key: key}, func(ctx context.Context) error { return c.Cache.Delete(ctx, key) })
}

func (c *cache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	var result struct { // of this call, not of one that is delivered later
		swapped bool
		current *driver.Item
	}
	err := c.write(ctx, Call{Op: "Swap", Key: key}, func(ctx context.Context) error {
		swapped, current, err := c.Cache.Swap(ctx, key, old, record, deadline)
		result.swapped, result.current = swapped, current
		return err
	})
	if err != nil {
		return false, nil, err
	}
	return result.swapped, result.current, nil
}

func (c *cache) GetBatch(ctx context.Context, keys []string) (items []driver.Item, err error) {
	if fault := c.read(ctx, "GetBatch", "", func() { items, err = c.f.BatchGetter.GetBatch(ctx, keys) }); fault != nil {
		return nil, fault
	}
	return items, err
}

// PutBatch asks the plan about each entry.
func (c *cache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	errs, failed := make([]error, len(entries)), false
	for i, e := range entries {
		errs[i] = c.write(ctx, Call{Op: "PutBatch", Key: e.Key}, func(ctx context.Context) error { return c.Cache.Put(ctx, e.Key, e.Record, e.Deadline) })
		failed = failed || errs[i] != nil
	}
	if !failed {
		return nil
	}
	return errs
}

func (c *cache) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	var result struct { // as in Swap
		previous driver.Item
		existed  bool
	}
	err := c.write(ctx, Call{Op: "Exchange", Key: key}, func(ctx context.Context) error {
		previous, existed, err := c.f.Exchanger.Exchange(ctx, key, record, deadline)
		result.previous, result.existed = previous, existed
		return err
	})
	if err != nil {
		return driver.Item{}, false, err
	}
	return result.previous, result.existed, nil
}

func (c *cache) Touch(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	var result struct{ touched bool } // as in Swap
	err := c.write(ctx, Call{Op: "Touch", Key: key}, func(ctx context.Context) error {
		touched, err := c.f.Toucher.Touch(ctx, key, token, deadline)
		result.touched = touched
		return err
	})
	return result.touched && err == nil, err
}

func (c *cache) Invoke(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
	var result struct{ output []byte } // as in Swap
	err := c.write(ctx, Call{Op: "Invoke", Key: key}, func(ctx context.Context) error {
		output, err := c.f.Invoker.Invoke(ctx, key, processor, args)
		result.output = output
		return err
	})
	if err != nil {
		return nil, err
	}
	return result.output, nil
}

func (c *cache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		fault := c.read(ctx, "Scan", "", func() {
			for item, err := range c.f.Scanner.Scan(ctx) {
				if !yield(item, err) {
					return
				}
			}
		})
		if fault != nil {
			yield(driver.Item{}, fault)
		}
	}
}

func (c *cache) Clear(ctx context.Context) error {
	return c.write(ctx, Call{Op: "Clear"}, c.f.Clearer.Clear)
}

func (c *cache) Size(ctx context.Context) (n int, err error) {
	if fault := c.read(ctx, "Size", "", func() { n, err = c.f.Sizer.Size(ctx) }); fault != nil {
		return 0, fault
	}
	return n, err
}
