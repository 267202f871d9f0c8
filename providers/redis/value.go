package redis

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Where scripts are forbidden, SET … IFEQ compares and swaps. It compares whole values, so a token is one, and stands
// for all that differ from it in their deadline only.

// errUntold: what a process writes that may execute no scripts would not be told to those who watch.
var errUntold = fmt.Errorf("%w: another process watches the cache, and writes are told by scripts, which this user may not execute; "+
	"allow the user EVAL and EVALSHA (+eval +evalsha)", driver.ErrMisconfigured)

// compareAndSet sets a value if expected is there, or if nothing is there and nothing is expected, and returns what was there.
func (p *Provider) compareAndSet(ctx context.Context, name string, expected, value []byte, ms int64) (was []byte, done bool, err error) {
	m, err := p.write(ctx, func(b rueidis.Builder) rueidis.Completed {
		words := []string{"SET", name, rueidis.BinaryString(value), "GET"}
		if len(expected) == 0 {
			words = append(words, "NX")
		} else {
			words = append(words, "IFEQ", rueidis.BinaryString(expected))
		}
		if ms > 0 {
			words = append(words, "PX", text(ms))
		}
		return b.Arbitrary(words[0]).Keys(words[1]).Args(words[2:]...).Build()
	})
	if err != nil || m.IsNil() {
		return nil, err == nil && len(expected) == 0, err
	}
	if was, err = m.AsBytes(); err != nil {
		return nil, false, errForeign
	}
	return was, len(expected) > 0 && bytes.Equal(was, expected), nil
}

// removed is what a value is replaced with for it to be removed: a record that has been dead for long, which the server forgets
// after a millisecond.
var removed = seal(make([]byte, driver.WriteIDBytes), time.UnixMilli(1))

// compareAndRemove removes a value if it is there.
func (p *Provider) compareAndRemove(ctx context.Context, name string, expected []byte) error {
	_, _, err := p.compareAndSet(ctx, name, expected, removed, 1)
	return err
}

// swapValue is Swap without a script.
func (c *cache) swapValue(ctx context.Context, l *lease, key string, old driver.Token, record []byte, deadline time.Time) (bool, *driver.Item, error) {
	if record == nil {
		return c.replaceValue(ctx, l, key, old, func([]byte) []byte { return removed }, 1)
	}
	value := seal(record, deadline)
	return c.replaceValue(ctx, l, key, old, func([]byte) []byte { return value }, life(deadline, time.Now(), grace))
}

// touchValue is Touch without a script: the record is sent again.
func (c *cache) touchValue(ctx context.Context, l *lease, key string, token driver.Token, deadline time.Time) (bool, error) {
	if len(token.B) < envelopeBytes+driver.WriteIDBytes {
		return false, nil
	}
	touched, _, err := c.replaceValue(ctx, l, key, token, func(was []byte) []byte { return seal(was[envelopeBytes:], deadline) }, life(deadline, time.Now(), grace))
	return touched, err
}

// replaceValue replaces what a token stands for, or nothing, with what is made of it. If its deadline was moved meanwhile, or what has died is
// still there, another attempt expects that.
func (c *cache) replaceValue(ctx context.Context, l *lease, key string, old driver.Token, value func(was []byte) []byte, ms int64) (bool, *driver.Item, error) {
	if l.watched {
		return false, nil, errUntold
	}
	for expected := old.B; ; {
		var was []byte
		var done bool
		var err error
		if len(old.B) > 0 && isDead(expected) { // it may still be there, or live on with another deadline
			was, err = c.value(ctx, l.head+key)
		} else {
			was, done, err = c.provider.compareAndSet(ctx, l.head+key, expected, value(expected), ms)
		}
		if err != nil || done || was == nil {
			return done, nil, err
		}
		current, live, err := open(was, time.Now())
		switch {
		case err != nil:
			return false, nil, err
		case live && !bytes.Equal(idIn(was), idIn(old.B)):
			current.Token.B = was
			return false, &current, nil
		case !live && len(old.B) > 0:
			return false, nil, nil
		}
		expected = was
	}
}

// isDead reports whether the deadline in a value has passed.
func isDead(value []byte) bool {
	if len(value) < envelopeBytes {
		return false
	}
	deadline := deadlineIn(value)
	return !deadline.IsZero() && !time.Now().Before(deadline)
}

// value returns what is stored under a name, or nil.
func (c *cache) value(ctx context.Context, name string) ([]byte, error) {
	m, err := c.provider.read(ctx, get(name))
	if err != nil || m.IsNil() {
		return nil, err
	}
	value, err := m.AsBytes()
	if err != nil {
		return nil, errForeign
	}
	return value, nil
}

// idIn returns the identifier of the record in a value, if there is one.
func idIn(value []byte) []byte {
	if len(value) < envelopeBytes+driver.WriteIDBytes {
		return nil
	}
	return value[envelopeBytes : envelopeBytes+driver.WriteIDBytes]
}

// raise raises a generation to what next makes of it, without a script, and returns it.
func (c *cache) raise(ctx context.Context, next func(int64) int64) (int64, error) {
	for {
		m, err := c.provider.read(ctx, get(c.generationKey()))
		if err != nil {
			return 0, err
		}
		number, err := numberIn(m)
		if err != nil {
			return 0, err
		}
		raised := next(number)
		if raised == number {
			return number, nil
		}
		expected := []byte(nil)
		if number > 0 {
			expected = []byte(text(number))
		}
		if _, done, err := c.provider.compareAndSet(ctx, c.generationKey(), expected, []byte(text(raised)), 0); done || err != nil {
			return raised, err
		}
	}
}

// Features says what the cache can do: without scripts nobody can be told of writes.
func (c *cache) Features() driver.Features {
	f := driver.Features{
		BatchGetter: c, BatchPutter: c, Exchanger: c, Toucher: c, Scanner: c, Clearer: c, Sizer: c, Watcher: c, Locker: c, Locality: c, Unwrapper: c,
	}
	if c.provider.traits.values {
		f.Watcher = nil
	}
	return f
}
