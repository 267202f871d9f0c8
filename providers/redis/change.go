package redis

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// While somebody watches a cache, each write of it is a script that tells what it did, in the same step.

// A change is a write that is told.
type change struct {
	kind     string
	id       []byte // of the record that must be there for onlyIf; none: nothing may be there
	key      string
	record   []byte // nil: the key is removed
	deadline time.Time
}

// The kinds of changes, as the script knows them.
const (
	anyway   = "*"
	exchange = "<" // likewise, and the answer is what was there
	onlyIf   = "="
)

// on is the change as the script takes it.
func (ch change) on(c *cache, l *lease) runnable {
	now, deadline := time.Now(), int64(0)
	if ch.record != nil {
		deadline = milliseconds(ch.deadline)
	}
	return runnable{c.noted(l, ch.key), []string{
		text(now.UnixMilli()), ch.kind, string(ch.id), sealed(ch.record, ch.deadline), text(life(ch.deadline, now, l.grace())),
		c.channel(), placeOf(l.number, ch.key), ch.key, text(deadline), text(deadlinesFor.Milliseconds()),
	}}
}

// noted returns the keys of a script that writes a record: the deadlines are noted in the step that writes, if they are on the same
// server.
func (c *cache) noted(l *lease, key string) []string {
	if !l.watched || c.provider.clustered() {
		return []string{l.head + key}
	}
	return []string{l.head + key, c.deadlinesKey()}
}

// change makes a change and notes when the record will expire. The answer is a number if that was done, unless
// it is an exchange.
func (c *cache) change(ctx context.Context, l *lease, ch change) (rueidis.RedisMessage, error) {
	if c.provider.traits.values {
		return rueidis.RedisMessage{}, errUntold
	}
	m, err := c.provider.runOn(ctx, changeScript, ch.on(c, l))
	if err == nil && ch.record != nil && (ch.kind == exchange || m.IsInt64()) {
		c.note(ctx, l, map[string]time.Time{ch.key: ch.deadline})
	}
	return m, err
}

// changeAll puts entries. It returns an error or nil for each.
func (c *cache) changeAll(ctx context.Context, l *lease, entries []driver.Entry) []error {
	if c.provider.traits.values {
		return slices.Repeat([]error{errUntold}, len(entries))
	}
	changes := make([]runnable, len(entries))
	for i, e := range entries {
		changes[i] = change{kind: anyway, key: e.Key, record: e.Record, deadline: e.Deadline}.on(c, l)
	}
	_, errs := c.provider.runAll(ctx, changeScript, changes)
	put := make(map[string]time.Time, len(entries))
	for i, e := range entries {
		if errs[i] == nil {
			put[e.Key] = e.Deadline
		}
	}
	c.note(ctx, l, put)
	return errs
}

// note notes when records of a watched cache will expire, once they have been written, in a cluster, where the step that
// wrote them could not: whoever tells of it looks at a record when its first deadline has passed, and finds the one that it
// has by then. The write has been carried out whatever becomes of the note.
func (c *cache) note(ctx context.Context, l *lease, deadlines map[string]time.Time) {
	if !l.watched || !c.provider.clustered() {
		return
	}
	if err := c.noteAll(ctx, l, deadlines); err != nil && !errors.Is(err, driver.ErrFull) {
		c.provider.opts.Logger.Warn("redis: an entry was written, and when it expires could not be noted; it may expire without being told", "error", err)
	}
}

func (c *cache) noteAll(ctx context.Context, l *lease, deadlines map[string]time.Time) error {
	names := make(map[string]int64, len(deadlines))
	for key, deadline := range deadlines {
		if !deadline.IsZero() {
			names[l.head+key] = milliseconds(deadline)
		}
	}
	if len(names) == 0 {
		return nil
	}
	_, err := c.provider.write(ctx, func(b rueidis.Builder) rueidis.Completed {
		add := b.Zadd().Key(c.deadlinesKey()).Lt().ScoreMember()
		for name, ms := range names {
			add = add.ScoreMember(float64(ms), name)
		}
		return add.Build()
	})
	return err
}
