package near

import (
	"context"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// records are those of a cache, with copies of some of them. Everything that may change a key drops its copy when it has
// ended, whatever came of it.
type records struct {
	driver.Cache
	behind driver.Features
	copies *copies
	stop   func() // ends what is told
}

var _ jcache.NearRecords = (*records)(nil)

// Features implements jcache.NearRecords.
func (r *records) Features() driver.Features {
	f := r.behind
	if f.BatchGetter != nil {
		f.BatchGetter = r
	}
	if f.BatchPutter != nil {
		f.BatchPutter = r
	}
	if f.Exchanger != nil {
		f.Exchanger = r
	}
	if f.Toucher != nil {
		f.Toucher = r
	}
	if f.Prolonger != nil {
		f.Prolonger = prolonger{f.Prolonger, r.copies}
	}
	if f.Invoker != nil {
		f.Invoker = r
	}
	if f.Clearer != nil {
		f.Clearer = r
	}
	return f
}

// Copy implements jcache.NearRecords.
func (r *records) Copy(key string) (driver.Item, bool) { return r.copies.get(key) }

// Statistics implements jcache.NearRecords.
func (r *records) Statistics() jcache.NearStatistics { return r.copies.statistics() }

// Close implements driver.Cache.
func (r *records) Close() error {
	r.stop()
	return r.Cache.Close()
}

// Get implements driver.Cache: it reads what is stored, and keeps a copy.
func (r *records) Get(ctx context.Context, key string) (driver.Item, bool, error) {
	reading := r.copies.begin(key)
	item, found, err := r.Cache.Get(ctx, key)
	if err == nil {
		r.copies.keep(reading, key, item, found)
	}
	return item, found, err
}

// GetBatch implements driver.BatchGetter: it reads what has no copy.
func (r *records) GetBatch(ctx context.Context, keys []string) ([]driver.Item, error) {
	items := make([]driver.Item, 0, len(keys))
	var missing []string
	readings := make(map[string]reading)
	for _, key := range keys {
		if item, ok := r.copies.get(key); ok && (item.Deadline.IsZero() || time.Now().Before(item.Deadline)) {
			item.Key = key
			items = append(items, item)
			continue
		}
		missing = append(missing, key)
		readings[key] = r.copies.begin(key)
	}
	if len(missing) == 0 {
		return items, nil
	}
	read, err := r.behind.BatchGetter.GetBatch(ctx, missing)
	if err != nil {
		return nil, err
	}
	for _, item := range read {
		r.copies.keep(readings[item.Key], item.Key, item, true)
	}
	return append(items, read...), nil
}

// Put implements driver.Cache.
func (r *records) Put(ctx context.Context, key string, record []byte, deadline time.Time) error {
	defer r.copies.invalidate(key)
	return r.Cache.Put(ctx, key, record, deadline)
}

// Delete implements driver.Cache.
func (r *records) Delete(ctx context.Context, key string) error {
	defer r.copies.invalidate(key)
	return r.Cache.Delete(ctx, key)
}

// Swap implements driver.Cache.
func (r *records) Swap(ctx context.Context, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	defer r.copies.invalidate(key)
	return r.Cache.Swap(ctx, key, old, record, deadline)
}

// PutBatch implements driver.BatchPutter.
func (r *records) PutBatch(ctx context.Context, entries []driver.Entry) []error {
	defer func() {
		for _, e := range entries {
			r.copies.invalidate(e.Key)
		}
	}()
	return r.behind.BatchPutter.PutBatch(ctx, entries)
}

// Exchange implements driver.Exchanger.
func (r *records) Exchange(ctx context.Context, key string, record []byte, deadline time.Time) (driver.Item, bool, error) {
	defer r.copies.invalidate(key)
	return r.behind.Exchanger.Exchange(ctx, key, record, deadline)
}

// Touch implements driver.Toucher.
func (r *records) Touch(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	defer r.copies.invalidate(key)
	return r.behind.Toucher.Touch(ctx, key, token, deadline)
}

// Invoke implements driver.Invoker.
func (r *records) Invoke(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
	defer r.copies.invalidate(key)
	return r.behind.Invoker.Invoke(ctx, key, processor, args)
}

// Clear implements driver.Clearer.
func (r *records) Clear(ctx context.Context) error {
	defer r.copies.flush()
	return r.behind.Clearer.Clear(ctx)
}

// A prolonger drops the copies of what it prolongs.
type prolonger struct {
	driver.Prolonger
	copies *copies
}

// Prolong implements driver.Prolonger.
func (p prolonger) Prolong(ctx context.Context, key string, token driver.Token, deadline time.Time) (bool, error) {
	defer p.copies.invalidate(key)
	return p.Prolonger.Prolong(ctx, key, token, deadline)
}
