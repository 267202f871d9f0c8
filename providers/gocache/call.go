package gocache

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"net"
	"time"

	"github.com/eko/gocache/lib/v4/store"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// do carries out a write of a key while nobody else of this provider writes it. Who gives it up does not
// wait for it, and nobody gets at the key until it has ended.
func do[T any](ctx context.Context, p *Provider, spot string, f func(ctx context.Context) (T, error)) (result T, err error) {
	stripe := p.stripes[maphash.String(p.seed, spot)%uint64(len(p.stripes))]
	if err := ctx.Err(); err != nil {
		return result, err
	}
	select {
	case stripe <- struct{}{}:
	default:
		select {
		case stripe <- struct{}{}:
		case <-ctx.Done():
			return result, ctx.Err()
		}
	}
	return call(ctx, p, true, func(ctx context.Context) (T, error) {
		defer func() { <-stripe }()
		return f(ctx)
	})
}

// call carries out f, which need not obey its context. Clients take connections for broken whose callers cancel, so
// they are not told of it: what they are given ends with its time.
func call[T any](ctx context.Context, p *Provider, writes bool, f func(ctx context.Context) (T, error)) (result T, err error) {
	if p.opts.InProcess {
		return f(ctx)
	}
	type answer struct {
		result T
		err    error
	}
	done := make(chan answer, 1)
	p.calls.Go(func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeouts*p.opts.RequestTimeout)
		defer cancel()
		result, err := f(ctx)
		done <- answer{result, err}
	})
	select {
	case a := <-done:
		return a.result, a.err
	case <-ctx.Done():
		if writes {
			return result, fmt.Errorf("%w: %w", driver.ErrIndeterminate, ctx.Err())
		}
		return result, fmt.Errorf("%w: %w", driver.ErrUnavailable, ctx.Err())
	}
}

// callTimeouts is how many times the time of a request a call may take that nobody waits for any more.
const callTimeouts = 2

// load reads what is stored, dead or alive.
func (p *Provider) load(ctx context.Context, spot string) (e envelope, found bool, err error) {
	value, err := p.opts.Store.Get(ctx, spot)
	if err != nil {
		if err = p.explained(err, driver.ErrUnavailable); absent(err) {
			return e, false, nil
		}
		return e, false, err
	}
	switch v := value.(type) {
	case nil:
		return e, false, nil
	case []byte:
		e, err = parseEnvelope(v)
	case string:
		e, err = parseEnvelope([]byte(v))
	default:
		err = errForeign
	}
	return e, err == nil, err
}

// longest is for how long a store is asked to keep something; beyond, it is asked for ever.
const longest = 10 * 365 * 24 * time.Hour

// save stores a record.
func (p *Provider) save(ctx context.Context, spot string, e envelope) error {
	keep := time.Duration(0)
	if p.form.expire {
		keep = longest
	}
	if e.deadline != 0 {
		left := max(0, e.deadline-time.Now().UnixMilli())
		seconds := (left+999)/1000 + 1 // the store may count whole seconds that have begun
		if seconds < int64(longest/time.Second) {
			keep = time.Duration(seconds) * time.Second
		}
	}
	if keep != 0 && p.opts.Expiration != nil {
		keep = p.opts.Expiration(keep)
	}
	var value any = e.bytes()
	if p.form.text {
		value = string(e.bytes())
	}
	if err := p.opts.Store.Set(ctx, spot, value, store.WithExpiration(keep)); err != nil {
		return p.explained(err, driver.ErrIndeterminate)
	}
	return nil
}

// drop removes a record.
func (p *Provider) drop(ctx context.Context, spot string) error {
	if err := p.opts.Store.Delete(ctx, spot); err != nil {
		if err = p.explained(err, driver.ErrIndeterminate); !absent(err) {
			return err
		}
	}
	return nil
}

// explained returns what an error of the store means. Without a better explanation it is the sentinel.
func (p *Provider) explained(err, sentinel error) error {
	if p.opts.Explain != nil {
		if meant := p.opts.Explain(err); meant != nil {
			return meant
		}
	}
	// The stores bigcache and freecache pass on what their libraries say.
	if absent(err) || err.Error() == "Entry not found" {
		return store.NotFoundWithCause(nil)
	}
	var network net.Error
	if errors.As(err, &network) {
		var dialing *net.OpError
		if errors.As(err, &dialing) && dialing.Op == "dial" {
			sentinel = driver.ErrUnavailable
		}
		return fmt.Errorf("%w: %w", sentinel, network)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("%w: %w", sentinel, err)
	}
	return fmt.Errorf("%w: the store failed with a %T", sentinel, err)
}

func absent(err error) bool {
	var notFound *store.NotFound
	return errors.As(err, &notFound)
}
