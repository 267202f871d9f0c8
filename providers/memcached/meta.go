package memcached

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The two of memcached's meta commands that gomemcache has not: to remove an item on
// condition of its cas number, and to give it more time. Neither needs room.

// meta sends a line and returns the line that answers it.
func (l *lane) meta(ctx context.Context, exchange func(context.Context, func(*memcache.Client) error) error, line string) (answer string, err error) {
	err = exchange(ctx, func(*memcache.Client) error {
		if err := l.conn.SetDeadline(time.Now().Add(l.server.opts.RequestTimeout)); err != nil {
			return err
		}
		if _, err := io.WriteString(l.conn, line+"\r\n"); err != nil {
			return err
		}
		if l.lines == nil {
			l.lines = bufio.NewReader(l.conn)
		}
		if answer, err = readLine(l.lines); err != nil {
			return err
		}
		switch code, _, _ := strings.Cut(answer, " "); code {
		case "HD":
			return nil
		case "NF", "EN":
			return memcache.ErrCacheMiss
		case "EX":
			return memcache.ErrCASConflict
		}
		return fmt.Errorf("unexpected answer: %q", answer)
	})
	return answer, err
}

// remove removes an item that still has the cas number.
func (l *lane) remove(ctx context.Context, name string, number uint64) error {
	_, err := l.meta(ctx, l.write, "md "+name+" C"+strconv.FormatUint(number, 10))
	return err
}

// A remainder is how many seconds an item has left, as the server counts. Negative: it does
// not expire.
type remainder int64

// outlast reports whether an item with r left goes later than one with that expiry.
func (r remainder) outlast(now time.Time, expiry int32) bool {
	switch {
	case expiry == 0 || r < 0:
		return expiry != 0
	case expiry > maxRelative:
		return int64(r) > int64(expiry)-now.Unix()
	}
	return int64(r) > int64(expiry)
}

// expiry is the protocol's expiry of an item that has r left.
func (r remainder) expiry(now time.Time) int32 {
	switch seconds := int64(r); {
	case seconds < 0 || now.Unix()+seconds >= math.MaxInt32:
		return 0
	case seconds > maxRelative:
		return int32(now.Unix() + seconds + 1)
	default:
		return int32(max(1, seconds))
	}
}

// left asks for an item's cas number and the time that it has left.
func (l *lane) left(ctx context.Context, name string) (number uint64, left remainder, err error) {
	answer, err := l.meta(ctx, l.read, "mg "+name+" c t")
	if err != nil {
		return 0, 0, err
	}
	return parseLeft(answer)
}

// prolong gives an item an expiry and returns what it had before.
func (l *lane) prolong(ctx context.Context, name string, expiry int32) (number uint64, left remainder, err error) {
	answer, err := l.meta(ctx, l.write, "mg "+name+" c t T"+strconv.FormatInt(int64(expiry), 10))
	if err != nil {
		return 0, 0, err
	}
	return parseLeft(answer)
}

func parseLeft(answer string) (number uint64, left remainder, err error) {
	var n, t bool
	for _, flag := range strings.Fields(answer)[1:] {
		switch flag[0] {
		case 'c':
			number, err = strconv.ParseUint(flag[1:], 10, 64)
			n = err == nil
		case 't':
			var seconds int64
			seconds, err = strconv.ParseInt(flag[1:], 10, 64)
			left, t = remainder(seconds), err == nil
		}
	}
	if !n || !t {
		return 0, 0, errNoSense
	}
	return number, left, nil
}

// Prolong implements driver.Prolonger. A server counts in seconds, and tells nothing but the
// time that an item has left. So it gets expiryStep more than it needs, which is how
// Prolonged tells it from an item that nobody has prolonged.
func (c *cache) Prolong(ctx context.Context, key string, token driver.Token, deadline time.Time) (prolonged bool, err error) {
	p := c.place(key)
	err = p.server.call(ctx, func(l *lane) error {
		if prolonged, err = c.current(ctx, l, token); !prolonged {
			return err
		}
		if !deadline.IsZero() {
			deadline = deadline.Add(expiryStep)
		}
		now := time.Now()
		expiry := expiration(now, deadline)
		number, before, err := l.prolong(ctx, p.name, expiry)
		if err != nil {
			prolonged = false
			return err
		}
		prolonged = number == token.N
		if prolonged && !before.outlast(now, expiry) {
			return nil
		}
		// Another record is there meanwhile, or somebody has prolonged this one for longer:
		// it gets back what it had.
		_, _, err = l.prolong(ctx, p.name, before.expiry(now))
		return err
	})
	if isAnswer(err) {
		return false, nil
	}
	return prolonged, err
}

// Prolonged implements driver.Prolonger.
func (c *cache) Prolonged(ctx context.Context, key string, token driver.Token) (deadline time.Time, prolonged bool, err error) {
	p := c.place(key)
	err = p.server.call(ctx, func(l *lane) error {
		number, left, err := l.left(ctx, p.name)
		if err != nil || number != token.N {
			return err
		}
		if prolonged = left < 0; prolonged {
			return nil
		}
		now := time.Now()
		deadline = now.Add(time.Duration(left)*time.Second - expiryStep)
		prolonged = deadline.After(now)
		return nil
	})
	if errors.Is(err, memcache.ErrCacheMiss) {
		return time.Time{}, false, nil
	}
	return deadline, prolonged, err
}
