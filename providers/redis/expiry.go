package redis

import (
	"context"
	"crypto/rand"
	"time"

	"github.com/redis/rueidis"
)

const (
	// expireEvery is how often it is asked what has expired.
	expireEvery = 200 * time.Millisecond
	// expirePage is how many records are looked at in one round trip.
	expirePage = 500
	// chargeFor is how long a process is in charge of telling what has expired without saying so again, and
	// chargeAgain is when it, and those who are not, ask again.
	chargeFor   = 10 * time.Second
	chargeAgain = 2 * time.Second
	// deadlinesFor is how long the deadlines are kept when nobody is in charge.
	deadlinesFor = time.Minute
	// clusterLooks is how often whoever is in charge in a cluster looks through all records, for those whose deadlines were not
	// noted. lookShare times as long as that takes is the least in between.
	clusterLooks = deadlinesFor / 2
	lookShare    = 20
)

// deadlinesKey has the names of the records, by their deadlines. A deadline may be earlier than the
// one that the record has.
func (c *cache) deadlinesKey() string { return c.base + "@deadlines" }

// chargeKey holds who is in charge of telling what has expired.
func (c *cache) chargeKey() string { return c.base + "@charge" }

// expire tells what has expired, if this process is in charge of that. A record is removed in the step that
// tells of it, so even two processes which both think that they are in charge tell of it once.
//
// Who begins to be in charge looks through all records: some were written while nobody watched, and who
// was in charge before may have ended in the middle. It looks again after a gap, and in a cluster from time to time:
// there a writer may end between its write and its note.
func (f *feed) expire(ctx context.Context) {
	c, owner := f.cache, rand.Text()
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.provider.opts.RequestTimeout)
		defer cancel()
		_, _ = c.provider.run(ctx, unlockScript, c.chargeKey(), owner) // or it ends by itself
	}()
	pause := time.Duration(0)
	var asked time.Time
	complete := false // all records were looked through
	var looked time.Time
	var took time.Duration
	for wait(ctx, pause) {
		if every := c.provider.looks; f.missed.Swap(false) || every > 0 && time.Since(looked) >= max(every, lookShare*took) {
			complete = false
		}
		if !complete || time.Since(asked) >= chargeAgain {
			asked = time.Now()
			n, err := f.takeCharge(ctx, owner)
			if err != nil || n == 0 {
				complete, pause = false, chargeAgain
				continue
			}
			complete = complete && n == 2
		}
		if !complete {
			begin := time.Now()
			complete = f.noteStored(ctx) == nil
			looked, took = time.Now(), time.Since(begin)
		}
		if complete = complete && f.tellExpired(ctx) == nil; complete {
			pause = expireEvery
		} else {
			pause = chargeAgain
		}
	}
}

// takeCharge returns 0 if another process is in charge, 1 if this one is now, and 2 if it was before.
func (f *feed) takeCharge(ctx context.Context, owner string) (int64, error) {
	m, err := f.cache.provider.run(ctx, chargeScript, f.cache.chargeKey(), owner, text(chargeFor.Milliseconds()))
	if err != nil {
		return 0, err
	}
	return m.AsInt64()
}

// noteStored notes the deadline of every record that is stored.
func (f *feed) noteStored(ctx context.Context) error {
	c := f.cache
	l, err := c.generation(ctx)
	if err != nil {
		return err
	}
	for page, err := range c.keys(ctx) {
		if err != nil {
			return err
		}
		requests := make([]request, len(page))
		for i, key := range page {
			requests[i] = func(b rueidis.Builder) rueidis.Completed {
				return b.Getrange().Key(l.head + key).Start(0).End(envelopeBytes - 1).Build()
			}
		}
		deadlines := make(map[string]time.Time, len(page))
		messages, errs := c.provider.callAll(ctx, false, requests)
		for i, m := range messages {
			if errs[i] != nil {
				return errs[i]
			}
			if envelope, err := m.AsBytes(); err == nil && len(envelope) == envelopeBytes && string(envelope[:len(envelopeMark)]) == envelopeMark {
				deadlines[page[i]] = deadlineIn(envelope)
			}
		}
		if err := c.noteAll(ctx, l, deadlines); err != nil {
			return err
		}
	}
	return nil
}

// tellExpired tells what has expired by now.
func (f *feed) tellExpired(ctx context.Context) error {
	c := f.cache
	for full := true; full; {
		m, err := c.provider.run(ctx, takeScript, c.deadlinesKey(), text(time.Now().UnixMilli()), text(expirePage), text(deadlinesFor.Milliseconds()))
		if err != nil {
			return err
		}
		names, err := m.AsStrSlice()
		if err != nil {
			return err
		}
		if err := f.expireAll(ctx, names); err != nil {
			return err
		}
		full = len(names) == expirePage
	}
	return nil
}

// expireAll removes and tells those of some records that are dead, and notes the deadlines that the others have.
func (f *feed) expireAll(ctx context.Context, names []string) error {
	c := f.cache
	l, err := c.generation(ctx)
	if err != nil || len(names) == 0 {
		return err
	}
	var on []runnable
	var keys []string
	now := text(time.Now().UnixMilli())
	for _, name := range names {
		if len(name) <= len(l.head) || name[:len(l.head)] != l.head {
			continue // it is of another generation, and was cleared
		}
		key := name[len(l.head):]
		on = append(on, runnable{[]string{name}, []string{now, c.channel(), placeOf(l.number, key), key}})
		keys = append(keys, key)
	}
	if len(on) == 0 {
		return nil
	}
	messages, errs := c.provider.runAll(ctx, expireScript, on)
	alive := make(map[string]time.Time)
	for i, m := range messages {
		if errs[i] != nil {
			return errs[i]
		}
		if m.IsNil() {
			continue
		}
		ms, err := m.AsInt64()
		if err != nil {
			return err
		}
		alive[keys[i]] = time.UnixMilli(ms)
	}
	return c.noteAll(ctx, l, alive)
}
