package conformance

import (
	"context"
	"maps"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A call is one of the driver's whose outcome can be looked up.
type call struct {
	name  string
	needs need
	keys  int  // how many it is for; zero is one
	whole bool // it is for a whole cache
	reads bool
	// before and after are the texts under each key, or absent.
	before, after string
	run           func(ctx context.Context, t *attempt)
}

const (
	textBefore = valueMark + "before"
	textAfter  = valueMark + "after"
	textOther  = valueMark + "other"
	untilLater = " until later" // of a record with a deadline
	batchSize  = 3
)

// other is what another client leaves that wrote later: something that the same call would
// change again.
func (c call) other() string {
	if c.before == absent {
		return absent
	}
	return textOther
}

// all sets the claims of every key.
func (t *attempt) all(c claim) {
	for i := range t.claims {
		t.claims[i] = c
	}
}

// readCalls are the calls that only look.
var readCalls = []call{
	{name: "get", reads: true, before: textBefore, run: func(ctx context.Context, t *attempt) {
		item, found, err := t.far.Get(ctx, t.keys[0])
		t.all(claim{err: err, right: found && text(item) == textBefore})
	}},
	{name: "get batch", needs: needing(driver.FeatureBatchGet), reads: true, keys: batchSize, before: textBefore, run: func(ctx context.Context, t *attempt) {
		items, err := t.far.f.BatchGetter.GetBatch(ctx, t.keys)
		t.all(claim{err: err, right: t.every(items)})
	}},
	{name: "scan", needs: needing(driver.FeatureScan), whole: true, reads: true, keys: 20, before: textBefore, run: func(ctx context.Context, t *attempt) {
		var items []driver.Item
		for item, err := range t.far.f.Scanner.Scan(ctx) {
			if err != nil {
				t.all(claim{err: err})
				return
			}
			items = append(items, item)
		}
		t.all(claim{right: t.every(items)})
	}},
	{name: "size", needs: needing(driver.FeatureSize), whole: true, reads: true, keys: 5, before: textBefore, run: func(ctx context.Context, t *attempt) {
		size, err := t.far.f.Sizer.Size(ctx)
		t.all(claim{err: err, right: size == len(t.keys)})
	}},
}

// every reports whether the items are those of the attempt's keys.
func (t *attempt) every(items []driver.Item) bool {
	found := make(map[string]string, len(items))
	for _, item := range items {
		found[item.Key] = text(item)
	}
	want := make(map[string]string, len(t.keys))
	for _, k := range t.keys {
		want[k] = textBefore
	}
	return len(items) == len(want) && maps.Equal(found, want)
}

// writeCalls are the calls that change something.
var writeCalls = []call{
	{name: "put", before: textBefore, after: textAfter, run: func(ctx context.Context, t *attempt) {
		err := t.far.Put(ctx, t.keys[0], record(textAfter), never)
		t.all(claim{err: err, right: true})
	}},
	{name: "delete", before: textBefore, after: absent, run: func(ctx context.Context, t *attempt) {
		t.all(claim{err: t.far.Delete(ctx, t.keys[0]), right: true})
	}},
	{name: "swap that creates", before: absent, after: textAfter, run: func(ctx context.Context, t *attempt) { t.swap(ctx, record(textAfter)) }},
	{name: "swap that replaces", before: textBefore, after: textAfter, run: func(ctx context.Context, t *attempt) { t.swap(ctx, record(textAfter)) }},
	{name: "swap that removes", before: textBefore, after: absent, run: func(ctx context.Context, t *attempt) { t.swap(ctx, nil) }},
	{name: "put batch", needs: needing(driver.FeatureBatchPut), keys: batchSize, before: textBefore, after: textAfter, run: func(ctx context.Context, t *attempt) {
		var batch []driver.Entry
		for _, k := range t.keys {
			batch = append(batch, driver.Entry{Key: k, Record: record(textAfter)})
		}
		errs := t.far.f.BatchPutter.PutBatch(ctx, batch)
		t.all(claim{right: true})
		for i, err := range errs {
			t.claims[i] = claim{err: err, right: true}
		}
	}},
	{name: "exchange", needs: needing(driver.FeatureExchange), before: textBefore, after: textAfter, run: func(ctx context.Context, t *attempt) { t.exchange(ctx, record(textAfter)) }},
	{name: "exchange that removes", needs: needing(driver.FeatureExchange), before: textBefore, after: absent, run: func(ctx context.Context, t *attempt) { t.exchange(ctx, nil) }},
	{name: "touch", needs: needing(driver.FeatureTouch), before: textBefore, after: textBefore + untilLater, run: func(ctx context.Context, t *attempt) {
		touched, err := t.far.f.Toucher.Touch(ctx, t.keys[0], t.items[0].Token, in(time.Hour))
		t.all(claim{err: err, right: touched, refused: !touched})
	}},
	{name: "invoke", needs: needing(driver.FeatureInvoke), before: textBefore, after: textBefore + textAfter, run: func(ctx context.Context, t *attempt) {
		output, err := t.far.f.Invoker.Invoke(ctx, t.keys[0], processorName, []byte("append "+textAfter))
		t.all(claim{err: err, right: string(output) == textBefore})
	}},
	{name: "clear", needs: needing(driver.FeatureClear), whole: true, before: textBefore, after: absent, run: func(ctx context.Context, t *attempt) {
		t.all(claim{err: t.far.f.Clearer.Clear(ctx), right: true})
	}},
}

func (t *attempt) swap(ctx context.Context, record []byte) {
	swapped, _, err := t.far.Swap(ctx, t.keys[0], t.items[0].Token, record, never)
	t.all(claim{err: err, right: swapped, refused: !swapped})
}

func (t *attempt) exchange(ctx context.Context, record []byte) {
	item, existed, err := t.far.f.Exchanger.Exchange(ctx, t.keys[0], record, never)
	t.all(claim{err: err, right: existed && text(item) == textBefore})
}

// otherCalls are the calls of which nothing is asked but that they end.
var otherCalls = []call{
	{name: "ping", reads: true, run: func(ctx context.Context, t *attempt) {
		t.all(claim{err: t.provider.Ping(ctx), right: true})
	}},
	{name: "open cache", reads: true, run: func(ctx context.Context, t *attempt) {
		c, err := t.provider.OpenCache(ctx, t.far.e.name+"-another", driver.CacheOptions{})
		if err == nil {
			err = c.Close()
		}
		t.all(claim{err: err, right: true})
	}},
	{name: "lock", needs: needing(driver.FeatureLock), reads: true, run: func(ctx context.Context, t *attempt) {
		_, err := t.far.f.Locker.Lock(ctx, t.keys[0], lockLease)
		t.all(claim{err: err, right: true})
	}},
	{name: "watch", needs: needing(driver.FeatureWatch), reads: true, run: func(ctx context.Context, t *attempt) {
		stop, err := t.far.f.Watcher.Watch(ctx, func(driver.Event) {})
		if err == nil {
			stop()
		}
		t.all(claim{err: err, right: true})
	}},
}
