package peer

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/node"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A cache is the records of one name, spread over the partitions by the hash of their
// keys.
type cache struct {
	p    *Provider
	name string
	near *nearCache
}

// maxRecordBytes leaves room in a message for what travels with a record.
const maxRecordBytes = 8 << 20

// maxKeyBytes likewise.
const maxKeyBytes = 64 << 10

// Info implements driver.Cache.
func (c *cache) Info() driver.Info {
	return driver.Info{
		MaxKeyBytes:    maxKeyBytes,
		MaxRecordBytes: maxRecordBytes,
		RequestTimeout: c.p.opts.RequestTimeout,
		Shared:         true,
		Evicts:         c.p.opts.MaxBytes > 0 && c.p.opts.WhenFull == Evict,
	}
}

// Unwrap implements driver.Unwrapper: it returns the *Provider.
func (c *cache) Unwrap() any { return c.p }

// Close implements driver.Cache.
func (c *cache) Close() error { return nil }

func (c *cache) partition(key string) int { return topology.PartitionOf(key, c.p.partitions) }

// Placement implements driver.Locality: a key is local where this process is the primary, and
// unavailable while it is held. To a client no key is nearer than another one.
func (c *cache) Placement(key string) driver.Placement {
	config := c.p.node.Config()
	if config == nil {
		return driver.Unavailable
	}
	switch p := &config.Partitions[c.partition(key)]; {
	case len(p.Held) > 0:
		return driver.Unavailable
	case p.Primary == c.p.node.ID():
		return driver.Local
	case c.p.opts.Mode == Client:
		return driver.Anywhere
	}
	return driver.Remote
}

func (c *cache) do(ctx context.Context, key string, req part.Request) (part.Result, error) {
	req.Cache, req.Key = c.name, key
	defer c.near.invalidate(key) // whatever came of it
	return c.p.node.Do(ctx, c.partition(key), &req)
}

// Get implements driver.Cache.
func (c *cache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	if item, ok := c.near.get(key); ok {
		return item, true, nil
	}
	reading := c.near.begin(key)
	found, err := c.p.node.Get(ctx, c.partition(key), c.name, key)
	if err != nil {
		return driver.Item{}, false, err
	}
	item, ok := itemOf(key, found)
	if ok {
		c.near.keep(reading, item)
	}
	return item, ok, nil
}

// Put implements driver.Cache.
func (c *cache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	until := untilOf(deadline)
	_, err := c.do(ctx, key, part.Request{Kind: part.Put, Record: record, Until: until})
	return err
}

// Delete implements driver.Cache.
func (c *cache) Delete(ctx context.Context, key string) error {
	_, err := c.do(ctx, key, part.Request{Kind: part.Delete})
	return err
}

// Swap implements driver.Cache.
func (c *cache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	until := untilOf(deadline)
	res, err := c.do(ctx, key, part.Request{Kind: part.Swap, Token: part.Version(old.N), Record: record, Until: until})
	if err != nil || res.Status == part.OK {
		return err == nil, nil, err
	}
	if item, ok := itemOf(key, res.Present); ok {
		return false, &item, nil
	}
	return false, nil, nil
}

// Exchange implements driver.Exchanger.
func (c *cache) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	until := untilOf(deadline)
	res, err := c.do(ctx, key, part.Request{Kind: part.Exchange, Record: record, Until: until})
	switch {
	case err != nil:
		return driver.Item{}, false, err
	case res.Repeated:
		return driver.Item{}, false, fmt.Errorf("%w: it was done, but what it replaced is not known any more", driver.ErrIndeterminate)
	}
	item, ok := itemOf(key, res.Present)
	return item, ok, nil
}

// Touch implements driver.Toucher.
func (c *cache) Touch(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	if token.IsZero() {
		return false, nil
	}
	until := untilOf(deadline)
	res, err := c.do(ctx, key, part.Request{Kind: part.Touch, Token: part.Version(token.N), Until: until})
	return err == nil && res.Status == part.OK, err
}

// GetBatch implements driver.BatchGetter.
func (c *cache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	items := make([]driver.Item, 0, len(keys))
	reqs := make([]part.Request, 0, len(keys))
	readings := make([]reading, 0, len(keys))
	for _, key := range keys {
		if item, ok := c.near.get(key); ok {
			items = append(items, item)
			continue
		}
		reqs = append(reqs, part.Request{Kind: part.Get, Cache: c.name, Key: key})
		readings = append(readings, c.near.begin(key))
	}
	results, errs := c.p.node.DoAll(ctx, reqs)
	for i := range reqs {
		if errs[i] != nil {
			return nil, errs[i]
		}
		if item, ok := itemOf(reqs[i].Key, results[i].Present); ok {
			c.near.keep(readings[i], item)
			items = append(items, item)
		}
	}
	return items, nil
}

// PutBatch implements driver.BatchPutter.
func (c *cache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	reqs := make([]part.Request, len(entries))
	for i, e := range entries {
		reqs[i] = part.Request{Kind: part.Put, Cache: c.name, Key: e.Key, Record: e.Record, Until: untilOf(e.Deadline)}
	}
	_, errs := c.p.node.DoAll(ctx, reqs)
	for i := range reqs {
		c.near.invalidate(reqs[i].Key)
	}
	if slices.ContainsFunc(errs, func(err error) bool { return err != nil }) {
		return errs
	}
	return nil
}

// pageSize is how many records a scan asks for at once.
const pageSize = 512

// Scan implements driver.Scanner.
func (c *cache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		err := c.survey(ctx, pageSize, func(page *node.Page) bool {
			for i := range page.Items {
				it := &page.Items[i]
				found := part.Found{OK: true, Record: it.Record, Version: it.Version, Left: it.Left, Until: it.Until}
				if item, ok := itemOf(it.Key, found); ok && !yield(item, nil) {
					return false
				}
			}
			return true
		})
		if err != nil {
			yield(driver.Item{}, err)
		}
	}
}

// Size implements driver.Sizer.
func (c *cache) Size(ctx context.Context) (size int, err error) {
	err = c.survey(ctx, 0, func(page *node.Page) bool {
		size += page.Size
		return true
	})
	return size, err
}

// survey visits all partitions, page by page, until visit returns false.
func (c *cache) survey(ctx context.Context, limit int, visit func(*node.Page) bool) error {
	next := make([]uint64, c.p.partitions) // the cursor of each partition
	read := make([]bool, c.p.partitions)   // to its end
	places := make([]node.Place, 0, c.p.partitions)
	for {
		places = places[:0]
		for i := range next {
			if !read[i] {
				places = append(places, node.Place{Partition: i, Cursor: next[i]})
			}
		}
		if len(places) == 0 {
			return nil
		}
		pages, err := c.p.node.Scan(ctx, c.name, places, limit)
		if err != nil {
			return err
		}
		for i := range pages {
			page := &pages[i]
			if at := page.Partition; at < len(next) && !read[at] { // else nobody asked for it
				next[at], read[at] = page.Next, page.Next == 0
				if !visit(page) {
					return nil
				}
			}
		}
	}
}

// Clear implements driver.Clearer. Partitions without a record are left alone.
func (c *cache) Clear(ctx context.Context) error {
	var partitions []int
	err := c.survey(ctx, 0, func(page *node.Page) bool {
		if page.Size > 0 {
			partitions = append(partitions, page.Partition)
		}
		return true
	})
	if err != nil {
		return err
	}
	defer c.near.invalidateAll()
	return each(ctx, partitions, func(ctx context.Context, partition int) error {
		_, err := c.p.node.Do(ctx, partition, &part.Request{Kind: part.Clear, Cache: c.name})
		return err
	})
}

// each does something in several partitions, some at a time, and returns the first error.
func each(ctx context.Context, partitions []int, do func(ctx context.Context, partition int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	const workers = 16
	var next atomic.Int64
	var wg sync.WaitGroup
	var once sync.Once
	var first error
	for range min(workers, len(partitions)) {
		wg.Go(func() {
			for at := next.Add(1); int(at) <= len(partitions); at = next.Add(1) {
				if err := do(ctx, partitions[at-1]); err != nil {
					once.Do(func() { first = err })
					cancel()
					return
				}
			}
		})
	}
	wg.Wait()
	return first
}

// Watch implements driver.Watcher.
func (c *cache) Watch(ctx context.Context, on func(driver.Event)) (stop func(), err error) {
	return c.p.node.Watch(ctx, c.name, false, func(e node.Event) { on(eventOf(e)) })
}

// WatchKeys implements driver.KeyWatcher.
func (c *cache) WatchKeys(ctx context.Context, on func(driver.Event)) (stop func(), err error) {
	return c.p.node.Watch(ctx, c.name, true, func(e node.Event) { on(eventOf(e)) })
}

// Fresh implements driver.Freshness: every member has confirmed within two seconds that it tells.
func (c *cache) Fresh() bool { return c.p.node.Fresh() }

func eventOf(e node.Event) driver.Event {
	switch {
	case e.Gap:
		return driver.Event{Kind: driver.EventGap}
	case e.Kind == part.ItemClear:
		return driver.Event{Kind: driver.EventCleared}
	case e.Kind == part.ItemPut:
		return driver.Event{Kind: driver.EventPut, Key: e.Key, Record: e.Record, Old: e.Old}
	}
	kind := driver.EventRemoved
	switch e.Cause {
	case part.ByExpiry:
		kind = driver.EventExpired
	case part.ByLack:
		kind = driver.EventEvicted
	}
	return driver.Event{Kind: kind, Key: e.Key, Old: e.Old}
}

// untilOf returns a deadline as requests have it.
func untilOf(deadline time.Time) int64 {
	if deadline.IsZero() {
		return 0
	}
	return max(1, deadline.UnixMicro())
}

// maxSkew is how far the clocks of two processes may be apart for the deadline that one
// gave to be the other's.
const maxSkew = time.Second

// itemOf describes a record that was found just now. It is none if its deadline has passed
// since.
func itemOf(key string, f part.Found) (driver.Item, bool) {
	item := driver.Item{Key: key, Record: f.Record, Token: driver.Token{N: uint64(f.Version)}}
	if f.Left > 0 {
		end, given := time.Now().Add(f.Left), time.UnixMicro(f.Until)
		if end.Sub(given).Abs() > maxSkew {
			given = end
		}
		item.Deadline = given
	}
	return item, f.OK && (f.Left == 0 || time.Now().Before(item.Deadline))
}
