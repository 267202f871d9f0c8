package conformance

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The rules for all calls.
var (
	ruleImmutable = rule{"Records are immutable in both directions.", "driver, package documentation"}
	ruleContext   = rule{"The context is honoured: a call returns soon after it ends, and the error matches the context's.", "driver contract 6"}
	ruleOutcome   = rule{"An error that does not match ErrIndeterminate means that nothing was changed and nothing will be.", "driver contract 5"}
	ruleSecrets   = rule{"Errors name neither keys nor values nor credentials.", "driver contract 7"}
	ruleItem      = rule{"An item is a record that is stored under the key, and the version that it has.", "driver.Item"}
	ruleInfo      = rule{"Info describes the cache. It never changes.", "driver.Cache.Info"}
)

// An auditor looks at every call that a case makes of the driver, and reports what
// holds for all calls alike, so that no case needs to look for it.
type auditor struct {
	t *recorder

	mu    sync.Mutex
	names map[string]bool
	kept  []keptRecord
}

type keptRecord struct{ record, copy []byte }

// keepAtMost bounds the records that are watched in one case.
const keepAtMost = 1000

func newAuditor(t *recorder) *auditor { return &auditor{t: t, names: make(map[string]bool)} }

// opened returns the names of the caches that were opened.
func (a *auditor) opened() map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.names
}

// record begins to watch a record, whichever side it comes from.
func (a *auditor) record(record []byte) {
	if record == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.kept) < keepAtMost {
		a.kept = append(a.kept, keptRecord{record, bytes.Clone(record)})
	}
}

// unchanged looks at all records again.
func (a *auditor) unchanged() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, k := range a.kept {
		if !bytes.Equal(k.record, k.copy) {
			a.t.breaks(&ruleImmutable, "a record has changed after it was passed")
			return
		}
	}
}

const (
	// lateAfter is how long after the end of its context a call may return.
	lateAfter = 2 * time.Second
	// surelyAfter is how long after its context's deadline a call returns that has
	// certainly seen it end. One that returns earlier may have given up by itself.
	surelyAfter = 250 * time.Millisecond
)

// call begins to look at a call. What it returns checks when the call returned and
// what its error says.
func (a *auditor) call(ctx context.Context, what, key string) (returned func(error)) {
	ended := ctx.Err() != nil
	return func(err error) {
		deadline, ok := ctx.Deadline()
		if ok && time.Since(deadline) > lateAfter {
			a.t.breaks(&ruleContext, "%s returned %v after its context's deadline", what, time.Since(deadline))
		}
		if err == nil {
			return
		}
		ended = ended || ok && time.Since(deadline) > surelyAfter
		a.text(what, key, err)
		if errors.Is(err, driver.ErrIndeterminate) && errors.Is(err, driver.ErrUnavailable) {
			a.t.breaks(&ruleOutcome, "%s: the error matches both ErrIndeterminate and ErrUnavailable, so it is unknown and known whether something was changed: %v", what, err)
		}
		if errors.Is(err, driver.ErrIndeterminate) && ended && !errors.Is(err, ctx.Err()) {
			a.t.breaks(&ruleContext, "%s: the context has ended, but the error does not match %v: %v", what, ctx.Err(), err)
		}
	}
}

// text checks that an error's text gives nothing away.
func (a *auditor) text(what, key string, err error) {
	text := err.Error()
	if strings.Contains(text, keyMark) || strings.Contains(text, valueMark) || len(key) > 3 && strings.Contains(text, key) {
		a.t.breaks(&ruleSecrets, "%s: the error's text contains a key or a value", what)
	}
}

// item checks what was read.
func (a *auditor) item(what string, item driver.Item, f driver.Features, key string) {
	a.record(item.Record)
	a.record(item.Token.B)
	switch {
	case len(item.Record) == 0:
		a.t.breaks(&ruleItem, "%s returned an item without a record", what)
	case item.Token.IsZero():
		a.t.breaks(&ruleItem, "%s returned an item with the zero Token, which stands for no record", what)
	case key != "" && item.Key != "" && item.Key != key:
		a.t.breaks(&ruleBelongs, "%s returned the item of another key", what)
	case f.Toucher == nil && !item.Deadline.IsZero():
		a.t.breaks(&ruleItem, "%s set Item.Deadline, which only drivers with Toucher do", what)
	}
}

// An auditedProvider passes calls on, except Close: the suite owns the connection.
type auditedProvider struct {
	driver.Provider
	audit *auditor
}

func (p auditedProvider) Close(context.Context) error { return nil }

func (p auditedProvider) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	returned := p.audit.call(ctx, "OpenCache", "")
	c, err := p.Provider.OpenCache(ctx, name, opts)
	returned(err)
	if err != nil {
		return nil, err
	}
	p.audit.mu.Lock()
	p.audit.names[name] = true
	p.audit.mu.Unlock()
	return &auditedCache{Cache: c, audit: p.audit, f: driver.FeaturesOf(c), info: c.Info()}, nil
}

// An auditedCache has every method; Features names those that the cache has.
type auditedCache struct {
	driver.Cache
	audit *auditor
	f     driver.Features
	info  driver.Info
}

func (c *auditedCache) Features() driver.Features {
	f := driver.Features{
		BatchGetter: c, BatchPutter: c, Exchanger: c, Toucher: c, Invoker: c, Scanner: c, Clearer: c, Sizer: c, Watcher: c, Locker: c,
		Locality: c.f.Locality, Unwrapper: c.f.Unwrapper, Prolonger: c.f.Prolonger,
	}
	for _, name := range f.List() {
		if !slices.Contains(c.f.List(), name) {
			f = f.Without(name)
		}
	}
	return f
}

func (c *auditedCache) Info() driver.Info {
	info := c.Cache.Info()
	if info != c.info {
		c.audit.t.breaks(&ruleInfo, "Info has changed from %+v to %+v", c.info, info)
	}
	return info
}

func (c *auditedCache) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	returned := c.audit.call(ctx, "Get", key)
	item, found, err := c.Cache.Get(ctx, key)
	returned(err)
	if found {
		c.audit.item("Get", item, c.f, key)
	}
	return item, found, err
}

func (c *auditedCache) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	c.audit.record(record)
	returned := c.audit.call(ctx, "Put", key)
	err := c.Cache.Put(ctx, key, record, deadline)
	returned(err)
	return err
}

func (c *auditedCache) Delete(ctx context.Context, key string) error {
	returned := c.audit.call(ctx, "Delete", key)
	err := c.Cache.Delete(ctx, key)
	returned(err)
	return err
}

func (c *auditedCache) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	c.audit.record(record)
	returned := c.audit.call(ctx, "Swap", key)
	swapped, current, err := c.Cache.Swap(ctx, key, old, record, deadline)
	returned(err)
	if swapped && (err != nil || current != nil) {
		c.audit.t.breaks(&ruleItem, "Swap returned swapped with an error or a current item")
	}
	if current != nil {
		c.audit.item("Swap", *current, c.f, key)
	}
	return swapped, current, err
}

func (c *auditedCache) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	returned := c.audit.call(ctx, "GetBatch", "")
	items, err := c.f.BatchGetter.GetBatch(ctx, keys)
	returned(err)
	for _, item := range items {
		c.audit.item("GetBatch", item, c.f, "")
	}
	return items, err
}

func (c *auditedCache) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	for _, e := range entries {
		c.audit.record(e.Record)
	}
	returned := c.audit.call(ctx, "PutBatch", "")
	errs := c.f.BatchPutter.PutBatch(ctx, entries)
	for i, err := range errs {
		returned(err)
		if err != nil {
			c.audit.text("PutBatch", entries[i].Key, err)
		}
	}
	return errs
}

func (c *auditedCache) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	c.audit.record(record)
	returned := c.audit.call(ctx, "Exchange", key)
	item, existed, err := c.f.Exchanger.Exchange(ctx, key, record, deadline)
	returned(err)
	if existed {
		c.audit.item("Exchange", item, c.f, key)
	}
	return item, existed, err
}

func (c *auditedCache) Touch(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	returned := c.audit.call(ctx, "Touch", key)
	touched, err := c.f.Toucher.Touch(ctx, key, token, deadline)
	returned(err)
	return touched, err
}

func (c *auditedCache) Invoke(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
	returned := c.audit.call(ctx, "Invoke", key)
	output, err := c.f.Invoker.Invoke(ctx, key, processor, args)
	returned(err)
	return output, err
}

func (c *auditedCache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		for item, err := range c.f.Scanner.Scan(ctx) {
			if err != nil {
				c.audit.text("Scan", "", err)
			} else if c.audit.item("Scan", item, c.f, ""); item.Key == "" {
				c.audit.t.breaks(&ruleItem, "Scan yielded an item without its Key")
			}
			if !yield(item, err) {
				return
			}
		}
	}
}

func (c *auditedCache) Clear(ctx context.Context) error {
	returned := c.audit.call(ctx, "Clear", "")
	err := c.f.Clearer.Clear(ctx)
	returned(err)
	return err
}

func (c *auditedCache) Size(ctx context.Context) (int, error) {
	returned := c.audit.call(ctx, "Size", "")
	n, err := c.f.Sizer.Size(ctx)
	returned(err)
	return n, err
}

func (c *auditedCache) Watch(ctx context.Context, on func(driver.Event)) (stop func(), err error) {
	returned := c.audit.call(ctx, "Watch", "")
	stop, err = c.f.Watcher.Watch(ctx, func(e driver.Event) {
		c.audit.record(e.Record)
		c.audit.record(e.Old)
		on(e)
	})
	returned(err)
	return stop, err
}

func (c *auditedCache) Lock(ctx context.Context, key string, lease time.Duration) (func(context.Context) error, error) {
	returned := c.audit.call(ctx, "Lock", key)
	unlock, err := c.f.Locker.Lock(ctx, key, lease)
	returned(err)
	return unlock, err
}
