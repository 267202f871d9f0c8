package sql

import (
	"cmp"
	"context"
	stdsql "database/sql"
	stddriver "database/sql/driver"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

const (
	// usualLease is for how long the database notes changes for a watcher that does not say that it
	// is still there, and outboxLife how long it keeps them. A watcher that was away for longer than its lease
	// has a gap, so one that was not finds everything.
	usualLease = time.Minute
	outboxLife = 3 * usualLease
	// latest is for how long a number is waited for that is missing among those of the outbox: its
	// transaction has not ended, or never will.
	latest     = 2 * time.Minute
	outboxPage = 256
	// mostLate is how many may be missing; beyond, the watcher begins anew.
	mostLate = 4 * outboxPage
)

// A watchable is a cache whose changes the database notes while somebody watches.
type watchable struct{ *cache }

// A watcher asks for the changes of a cache. Triggers of the table note them in the outbox, in
// the transaction that makes them, while there is a row in the table of watchers.
//
// The numbers of the outbox are given before transactions end, so a lower one may appear after a
// higher one. Those of one key appear in their order, because who changes a row waits for whoever has
// changed it. So everything new is told in the order of the numbers, and missing ones are asked for
// again.
type watcher struct {
	*cache
	id      int64
	on      func(driver.Event)
	last    int64     // the highest number that was seen
	late    []missing // lower numbers that were not
	renewed time.Time
	broken  bool // changes may be missed
}

type missing struct {
	number int64
	since  time.Time
}

// Watch implements driver.Watcher.
func (c *watchable) Watch(ctx context.Context, on func(driver.Event)) (stop func(), err error) {
	w := &watcher{cache: c.cache, on: on}
	if err := w.begin(ctx); err != nil {
		return nil, err
	}
	life, end := context.WithCancel(c.provider.life)
	done := make(chan struct{})
	c.provider.tasks.Go(func() {
		defer close(done)
		tick := time.NewTicker(c.provider.opts.WatchInterval)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				w.step(life)
			case <-life.Done():
				return
			}
		}
	})
	return func() {
		end()
		<-done
		w.leave(context.WithoutCancel(ctx))
	}, nil
}

// begin lets the database note the changes, waits for the writes that may not know of it, and
// finds out after which number those begin that concern this watcher.
func (w *watcher) begin(ctx context.Context) error {
	p, s := w.provider, w.provider.statements
	w.renewed, w.late = time.Now(), nil
	err := p.call(ctx, p.writes, false, func(ctx context.Context, c *stdsql.Conn) error {
		w.id = rand.Int64() // one that was sent and not answered is of no use, and lapses
		_, err := c.ExecContext(ctx, s.enrol, w.name, w.id, p.clock.now()+p.watchLease.Milliseconds())
		return err
	})
	if err != nil {
		return err
	}
	err = p.call(ctx, p.reads, false, func(ctx context.Context, c *stdsql.Conn) error {
		err := w.settle(ctx, c)
		if err != nil && len(s.settle) > 0 {
			_ = c.Raw(func(any) error { return stddriver.ErrBadConn }) // which closes it, and ends what it locks
		}
		return err
	})
	if err != nil {
		w.leave(context.WithoutCancel(ctx))
	}
	return err
}

func (w *watcher) settle(ctx context.Context, c *stdsql.Conn) error {
	s := w.provider.statements
	for _, text := range s.settle {
		if _, err := c.ExecContext(ctx, s.text(text)); err != nil {
			return err
		}
	}
	if err := c.QueryRowContext(ctx, s.newest).Scan(&w.last); err != nil {
		return err
	}
	for _, text := range s.settled {
		if _, err := c.ExecContext(ctx, s.text(text)); err != nil {
			return err
		}
	}
	return nil
}

// leave removes the watcher's row, and does not wait for that. If it fails, the lease ends it.
func (w *watcher) leave(ctx context.Context) {
	p, name, id := w.provider, w.name, w.id
	p.tasks.Go(func() { _, _ = p.write(ctx, p.statements.leave, name, id) })
}

// step tells what is new, and begins anew after trouble.
func (w *watcher) step(ctx context.Context) {
	if w.broken {
		if w.begin(ctx) != nil {
			return
		}
		w.broken = false
		w.on(driver.Event{Kind: driver.EventGap})
	}
	err := w.read(ctx)
	if err == nil {
		err = w.renew(ctx)
	}
	if err != nil && ctx.Err() == nil {
		w.broken = true
		w.on(driver.Event{Kind: driver.EventGap})
		w.leave(ctx)
	}
}

// renew says that the watcher is there, now and then. It is an error if it was away for too long.
func (w *watcher) renew(ctx context.Context) error {
	p := w.provider
	// Where the machine slept, only one of two clocks may have gone on.
	if now := time.Now(); max(now.Sub(w.renewed), now.Round(0).Sub(w.renewed.Round(0))) < p.watchLease/3 {
		return nil
	}
	w.renewed = time.Now()
	now := p.clock.now()
	n, err := p.write(ctx, p.statements.renew, now+p.watchLease.Milliseconds(), w.name, w.id, now)
	if err == nil && n == 0 {
		return fmt.Errorf("%w: the database has stopped to note changes", driver.ErrUnavailable)
	}
	return err
}

// A change is a row of the outbox.
type change struct {
	number, at         int64
	entry, record, old []byte
	ended              stdsql.NullInt64 // the deadline of old
}

// read tells everything that is new.
func (w *watcher) read(ctx context.Context) error {
	for {
		// The missing ones are asked for after the new ones, so that whatever a new one followed is found.
		changes, err := w.changes(ctx, w.provider.statements.tail, w.last, outboxPage)
		if err != nil {
			return err
		}
		full := len(changes) == outboxPage
		found, err := w.found(ctx)
		if err != nil {
			return err
		}
		if err := w.note(changes); err != nil {
			return err
		}
		for _, c := range append(found, changes...) {
			w.tell(c)
		}
		if !full {
			return nil
		}
	}
}

// note remembers which numbers were seen, and which are missing.
func (w *watcher) note(changes []change) error {
	now := time.Now()
	for _, c := range changes {
		if int64(len(w.late))+c.number-w.last > mostLate {
			return fmt.Errorf("%w: too many changes are missing", driver.ErrUnavailable)
		}
		for w.last++; w.last < c.number; w.last++ {
			w.late = append(w.late, missing{w.last, now})
		}
	}
	return nil
}

// found returns the changes that were missing and are there now. What is not is asked for
// again, each in its turn.
func (w *watcher) found(ctx context.Context) ([]change, error) {
	w.late = slices.DeleteFunc(w.late, func(m missing) bool { return time.Since(m.since) > latest })
	some := w.late[:min(len(w.late), outboxPage)]
	if len(some) == 0 {
		return nil, nil
	}
	args := make([]any, outboxPage) // one text, however many they are
	for i := range args {
		args[i] = some[i%len(some)].number
	}
	changes, err := w.changes(ctx, w.provider.statements.late(outboxPage), args...)
	if err != nil {
		return nil, err
	}
	slices.SortFunc(changes, func(a, b change) int { return cmp.Compare(a.number, b.number) })
	w.late = append(w.late[len(some):], slices.DeleteFunc(slices.Clone(some), func(m missing) bool {
		return slices.ContainsFunc(changes, func(c change) bool { return c.number == m.number })
	})...)
	return changes, nil
}

// changes returns what a statement selects of the outbox.
func (w *watcher) changes(ctx context.Context, text string, args ...any) (changes []change, err error) {
	args = append([]any{w.name, w.name, w.name}, args...)
	err = w.provider.read(ctx, func(ctx context.Context, conn *stdsql.Conn) error {
		changes = nil
		rows, err := conn.QueryContext(ctx, text, args...)
		if err != nil {
			return err
		}
		defer rows.Close() //nolint:errcheck // Err tells
		for rows.Next() {
			var c change
			if err := rows.Scan(&c.number, &c.at, &c.entry, &c.record, &c.old, &c.ended); err != nil {
				return err
			}
			changes = append(changes, c)
		}
		return rows.Err()
	})
	return changes, err
}

// tell passes a change on, unless it is one of another cache. A record that was dead when it was
// replaced or removed has expired, which is told by nobody else.
func (w *watcher) tell(c change) {
	if c.entry == nil {
		return
	}
	key := string(c.entry)
	if expired := c.ended.Valid && c.ended.Int64 <= c.at; expired {
		w.on(driver.Event{Kind: driver.EventExpired, Key: key, Old: c.old})
		c.old = nil
		if c.record == nil {
			return
		}
	}
	if c.record == nil {
		w.on(driver.Event{Kind: driver.EventRemoved, Key: key, Old: c.old})
		return
	}
	w.on(driver.Event{Kind: driver.EventPut, Key: key, Record: c.record, Old: c.old})
}
