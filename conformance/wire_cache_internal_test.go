package conformance

import (
	"context"
	"errors"
	"iter"
	"slices"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A wireCache is a cache of the driver.
type wireCache struct {
	p    *wireProvider
	name string
}

func (c *wireCache) Info() driver.Info {
	return driver.Info{Shared: true, RequestTimeout: 5 * time.Second, ExpiryStep: time.Millisecond}
}

func (c *wireCache) Close() error { return nil }

// request makes a request for a key.
func (c *wireCache) request(op, key string) wireRequest {
	return wireRequest{Op: op, Cache: c.name, Key: []byte(key)}
}

// life returns for how long a record lives, in whole milliseconds, and never too short.
func (c *wireCache) life(deadline time.Time) int64 {
	if deadline.IsZero() {
		return 0
	}
	left := min(time.Until(deadline), 100*365*24*time.Hour) // as good as for ever
	return c.p.spoilLife(left, max(1, left.Milliseconds()+1))
}

func itemOf(i wireItem) driver.Item {
	return driver.Item{Key: string(i.Key), Record: i.Record, Token: driver.Token{N: i.Token}}
}

// first returns the item of an answer, if there is one.
func first(a wireAnswer) (driver.Item, bool) {
	if len(a.Items) == 0 {
		return driver.Item{}, false
	}
	return itemOf(a.Items[0]), true
}

func (c *wireCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	a, err := c.p.call(ctx, c.request("get", key))
	if err != nil {
		return driver.Item{}, false, c.p.swallow("a get tells its error as absence", err)
	}
	item, found := first(a)
	item.Key = "" // as it may be
	c.p.spoilToken(&item)
	return item, found, nil
}

func (c *wireCache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	r := c.request("put", key)
	r.Record, r.Life = record, c.life(deadline)
	if c.p.is("a put returns before its answer") {
		c.p.unanswered <- struct{}{}
		c.p.tasks.Go(func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
			defer cancel()
			_, _ = c.p.call(ctx, r)
			<-c.p.unanswered
		})
		return nil
	}
	if c.p.is("a swap meets the dead") && !deadline.IsZero() {
		c.p.mortal.Store(c.name+key, true)
	}
	_, err := c.p.call(ctx, r)
	return c.p.swallow("a put swallows its error", err)
}

func (c *wireCache) Delete(ctx context.Context, key string) error {
	a, err := c.p.call(ctx, c.request("delete", key))
	if c.p.is("a delete of nothing is an error") && err == nil && len(a.Items) == 0 {
		return errors.New("not found")
	}
	return c.p.swallow("a delete swallows its error", err)
}

func (c *wireCache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	r := c.request("swap", key)
	r.Record, r.Life, r.Token = record, c.life(deadline), old.N
	_, mortal := c.p.mortal.Load(c.name + key)
	switch {
	case mortal && old.IsZero():
		return false, nil, nil
	case c.p.is("a swap is two steps"):
		return c.swapInTwoSteps(ctx, r)
	case c.p.is("a token is the content"), c.p.is("a token comes back"):
		return c.swapByToken(ctx, r)
	}
	a, err := c.p.call(ctx, r)
	if err != nil {
		return false, nil, c.p.swallow("a swap tells its error as a refusal", err)
	}
	current, found := first(a)
	switch {
	case a.Swapped:
		return true, nil, nil
	case c.p.is("a refusal is an error"):
		return false, nil, errors.New("conflict")
	case found:
		return false, &current, nil
	}
	return false, nil, nil
}

func (c *wireCache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	r := wireRequest{Op: "getBatch", Cache: c.name}
	for _, k := range keys {
		r.Keys = append(r.Keys, []byte(k))
	}
	a, err := c.p.call(ctx, r)
	if err != nil {
		return nil, c.p.swallow("a batch get tells its error as absence", err)
	}
	items := make([]driver.Item, len(a.Items))
	for i, item := range a.Items {
		items[i] = itemOf(item)
	}
	return items, nil
}

func (c *wireCache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	errs, failed := make([]error, len(entries)), false
	for i, e := range entries {
		if c.p.is("a batch put forgets the deadline") {
			e.Deadline = never
		}
		errs[i] = c.Put(ctx, e.Key, e.Record, e.Deadline)
		failed = failed || errs[i] != nil
		if errs[i] != nil && c.p.is("a batch put stops at its first error") {
			break
		}
	}
	if !failed {
		return nil
	}
	if c.p.is("a batch put turns its errors round") {
		slices.Reverse(errs)
	}
	return errs
}

func (c *wireCache) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	r := c.request("exchange", key)
	r.Record, r.Life = record, c.life(deadline)
	if c.p.is("an exchange is two steps") {
		item, existed, err := c.Get(ctx, key)
		if err == nil {
			_, err = c.p.call(ctx, r)
		}
		return item, existed, err
	}
	a, err := c.p.call(ctx, r)
	if err != nil {
		return driver.Item{}, false, err
	}
	item, existed := first(a)
	if c.p.is("an exchange returns what it stores") && record != nil {
		item.Record = record
	}
	return item, existed, nil
}

func (c *wireCache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		r := wireRequest{Op: "scan", Cache: c.name}
		seen := make(map[string]bool)
		for {
			a, err := c.p.call(ctx, r)
			if err != nil {
				if c.p.swallow("a scan ends at an error and says nothing", err) != nil {
					yield(driver.Item{}, err)
				}
				return
			}
			for _, i := range a.Items {
				item := itemOf(i)
				if seen[item.Key] && !c.p.is("a scan yields some twice") {
					continue
				}
				seen[item.Key] = true
				if !yield(item, nil) {
					return
				}
			}
			if r.Cursor = a.Cursor; r.Cursor == 0 {
				return
			}
		}
	}
}

func (c *wireCache) Clear(ctx context.Context) error {
	_, err := c.p.call(ctx, wireRequest{Op: "clear", Cache: c.name})
	return err
}

func (c *wireCache) Size(ctx context.Context) (int, error) {
	a, err := c.p.call(ctx, wireRequest{Op: "size", Cache: c.name})
	return a.Size, c.p.swallow("a size tells its error as zero", err)
}

func (c *wireCache) Watch(ctx context.Context, on func(driver.Event)) (func(), error) {
	conn, err := c.subscribe(ctx)
	if err != nil {
		return nil, c.p.explain(ctx, wireRequest{Op: "watch"}, driver.ErrUnavailable, err)
	}
	life, end := context.WithCancel(c.p.life)
	var over sync.WaitGroup
	over.Go(func() {
		for ; conn != nil; conn = c.resubscribe(life, on) {
			c.listen(life, conn, on)
		}
	})
	return func() { end(); over.Wait() }, nil
}

// subscribe opens a connection on which events come.
func (c *wireCache) subscribe(ctx context.Context) (*wireConn, error) {
	conn, err := c.p.take(ctx)
	if err == nil {
		err = conn.exchange(ctx, wireRequest{Op: "watch", Cache: c.name}, new(wireAnswer))
	}
	return conn, err
}

// resubscribe opens one after another was broken; nil is the end.
func (c *wireCache) resubscribe(ctx context.Context, on func(driver.Event)) *wireConn {
	for ctx.Err() == nil && !c.p.is("a watcher ends with its connection") {
		bounded, cancel := context.WithTimeout(ctx, time.Second)
		conn, err := c.subscribe(bounded)
		cancel()
		if err == nil {
			if !c.p.is("a watcher hears of no gap") {
				on(driver.Event{Kind: driver.EventGap})
			}
			return conn
		}
		select {
		case <-ctx.Done():
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

// listen passes events on until the connection breaks.
func (c *wireCache) listen(ctx context.Context, conn *wireConn, on func(driver.Event)) {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	defer conn.Close() //nolint:errcheck // nothing is lost on it
	for {
		var a wireAnswer
		if err := conn.in.Decode(&a); err != nil {
			return
		}
		if a.Cleared {
			on(driver.Event{Kind: driver.EventCleared})
		}
		for _, i := range a.Items {
			e := driver.Event{Kind: driver.EventPut, Key: string(i.Key), Record: i.Record, Old: i.Old}
			if i.Record == nil {
				e.Kind = driver.EventRemoved
			}
			on(e)
		}
	}
}
