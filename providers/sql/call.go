package sql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	stdsql "database/sql"
	stddriver "database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Between two attempts at what the database does not carry out now.
const (
	firstPause = 2 * time.Millisecond
	lastPause  = 25 * time.Millisecond
)

// read asks for something.
func (p *Provider) read(ctx context.Context, do func(context.Context, *stdsql.Conn) error) error {
	return p.call(ctx, p.reads, false, do)
}

// write changes something by one statement, and returns how many rows that concerned.
func (p *Provider) write(ctx context.Context, text string, args ...any) (rows int64, err error) {
	err = p.call(ctx, p.writes, true, func(ctx context.Context, c *stdsql.Conn) error {
		result, err := c.ExecContext(ctx, text, args...)
		if err == nil {
			rows, err = result.RowsAffected()
		}
		return err
	})
	return rows, err
}

// call does something on a connection until the database carries it out, for RequestTimeout at
// most. What may have been carried out is not repeated, unless it only reads. The statements are
// committed one by one, so one that was answered with an error has changed nothing.
func (p *Provider) call(ctx context.Context, db *stdsql.DB, writes bool, do func(context.Context, *stdsql.Conn) error) error {
	bounded, cancel := context.WithTimeout(ctx, p.opts.RequestTimeout)
	defer cancel()
	if !p.calls.enter() {
		return p.named(ctx, fmt.Errorf("%w: the provider is closed", driver.ErrUnavailable))
	}
	defer p.calls.leave()
	var why error // the last attempt failed that was not cut short
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		sent, err := p.attempt(bounded, db, do)
		if err == nil {
			p.gauge.answered()
			return nil
		}
		v := p.judge(bounded, err, sent, writes)
		if v.passes && rest(bounded, pause) {
			why = v.err
			continue
		}
		if why != nil && bounded.Err() != nil && errors.Is(v.err, driver.ErrUnavailable) {
			v.err = why
		}
		if end := ended(ctx, nil); end != nil && !errors.Is(v.err, end) {
			v.err = fmt.Errorf("%w: %w", v.err, end)
		}
		return p.named(ctx, v.err)
	}
}

// attempt does it once. sent tells whether anything may have been sent.
func (p *Provider) attempt(ctx context.Context, db *stdsql.DB, do func(context.Context, *stdsql.Conn) error) (sent bool, err error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return false, err
	}
	err = do(ctx, c)
	if err != nil && p.statements.answered(p.driver.Code(err)).leave {
		_ = c.Raw(func(any) error { return stddriver.ErrBadConn }) // which closes it
	}
	return true, errors.Join(err, closed(c))
}

// closed gives a connection back. A connection that is gone is no trouble any more.
func closed(c *stdsql.Conn) error {
	if err := c.Close(); err != nil && !errors.Is(err, stdsql.ErrConnDone) && !errors.Is(err, stddriver.ErrBadConn) {
		return err
	}
	return nil
}

// named says which database an error is about. When the time of the provider ended, and not that of
// ctx, the database kept silent.
func (p *Provider) named(ctx context.Context, err error) error {
	if errors.Is(err, context.DeadlineExceeded) && ended(ctx, nil) == nil {
		means := driver.ErrUnavailable
		if errors.Is(err, driver.ErrIndeterminate) {
			means = driver.ErrIndeterminate
		}
		err = fmt.Errorf("%w: %w", means, errSilent)
	}
	return fmt.Errorf("sql %s: %w", p.opts.name, err)
}

// rest waits, unless ctx ends meanwhile.
func rest(ctx context.Context, pause time.Duration) bool {
	timer := time.NewTimer(pause/2 + rand.N(pause))
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// tlsReason says what is wrong between the two ends of a TLS connection, or nothing.
func tlsReason(err error) error {
	var (
		certificate *tls.CertificateVerificationError
		unknown     x509.UnknownAuthorityError
		host        x509.HostnameError
		record      tls.RecordHeaderError
	)
	switch {
	case errors.As(err, &unknown), errors.As(err, &host), errors.As(err, &certificate):
		return errCertificate
	case errors.As(err, &record):
		return errNoTLS
	}
	return nil
}
