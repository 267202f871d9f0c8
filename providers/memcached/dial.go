package memcached

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// errUnusable marks what is wrong with a server that answers: waiting does not help.
var errUnusable = driver.ErrMisconfigured

// dial connects and greets. It returns when ctx ends at the latest.
func dial(ctx context.Context, a address, o Options) (*conn, error) {
	var d net.Dialer
	raw, err := d.DialContext(ctx, a.Network(), string(a))
	if err != nil {
		return nil, err
	}
	c := newConn(raw)
	stop := closeAfter(ctx, raw)
	if o.TLS != nil {
		c.Conn, err = startTLS(ctx, raw, a, o.TLS)
	}
	if err == nil {
		c.traits, err = greet(c.Conn, o)
		err = explain(err, o.TLS != nil)
	}
	if stop(); err == nil {
		err = ctx.Err()
	}
	if err != nil {
		c.hangUp()
		return nil, err
	}
	return c, nil
}

// closeAfter closes c when ctx ends. stop must be called; after it, nothing is
// closed any more. It reports whether c is still open.
func closeAfter(ctx context.Context, c io.Closer) (stop func() (open bool)) {
	closed := make(chan struct{})
	cancel := context.AfterFunc(ctx, func() {
		_ = c.Close() // whoever uses it sees an error
		close(closed)
	})
	return func() bool {
		if cancel() {
			return true
		}
		<-closed
		return false
	}
}

func startTLS(ctx context.Context, raw net.Conn, a address, config *tls.Config) (net.Conn, error) {
	if config.ServerName == "" {
		config = config.Clone()
		config.ServerName = a.host()
	}
	c := tls.Client(raw, config)
	if err := c.HandshakeContext(ctx); err != nil {
		if ctx.Err() != nil || errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("TLS handshake: %w", err)
		}
		if errors.As(err, new(tls.RecordHeaderError)) {
			return nil, errNoTLS
		}
		return nil, fmt.Errorf("%w: TLS handshake: %w", errUnusable, err)
	}
	return c, nil
}

// explain adds to an error of greet what a broken connection may mean. A server that
// does not accept the client's certificate says so, if at all, only after the client
// has seen the handshake succeed.
func explain(err error, overTLS bool) error {
	var op *net.OpError
	switch {
	case err == nil || errors.Is(err, errUnusable) || errors.Is(err, errCrowded):
		return err
	case errors.As(err, &op) && op.Op == "remote error": // an alert of TLS
		return fmt.Errorf("%w: %w", errUnusable, err)
	case overTLS:
		return fmt.Errorf("the server broke the connection; it may not accept the client's certificate: %w", err)
	default:
		return fmt.Errorf("the server broke the connection; it may expect TLS: %w", err)
	}
}

// errUnauthenticated: the server demands a password before it answers anything.
var errUnauthenticated = fmt.Errorf("%w: it demands a user and a password", errUnusable)

var errNoTLS = fmt.Errorf("%w: it answers without TLS, which is configured", errUnusable)

// misunderstood looks for the reason why a server that accepts connections could not be
// greeted: it may speak TLS, or not, unlike what is configured. Nil: that is not it.
func misunderstood(ctx context.Context, a address, overTLS bool) error {
	var d net.Dialer
	c, err := d.DialContext(ctx, a.Network(), string(a))
	if err != nil {
		return nil
	}
	defer closeAfter(ctx, c)()
	defer c.Close() //nolint:errcheck // it was opened to look only
	if !overTLS {
		err := tls.Client(c, &tls.Config{InsecureSkipVerify: true}).HandshakeContext(ctx) //nolint:gosec // nothing is sent
		var alert tls.AlertError
		if err == nil || errors.As(err, &alert) {
			return fmt.Errorf("%w: it expects TLS, which is not configured", errUnusable)
		}
		return nil
	}
	if _, err := io.WriteString(c, "version\r\n"); err != nil {
		return nil
	}
	if line, err := readLine(bufio.NewReader(c)); err == nil && (strings.HasPrefix(line, "VERSION ") || strings.HasPrefix(line, "CLIENT_ERROR ")) {
		return errNoTLS
	}
	return nil
}

// greet authenticates, if the server demands it, and asks what it is. A password is never
// sent to a server that did not ask: it would store it as an ordinary item, for everybody to
// read.
func greet(c io.ReadWriter, o Options) (t traits, err error) {
	r := bufio.NewReader(c)
	t, err = askTraits(c, r)
	switch asked := errors.Is(err, errUnauthenticated); {
	case asked && o.User != "":
		if err := authenticate(c, r, o.User, o.Password); err != nil {
			return traits{}, err
		}
		return askTraits(c, r)
	case err == nil && o.User != "":
		return traits{}, fmt.Errorf("%w: it does not demand the password that is configured; "+
			"start it with -Y or remove user and password", errUnusable)
	}
	return t, err
}

// authenticate is memcached's ASCII authentication: a set of any key whose value is
// the user and the password.
func authenticate(w io.Writer, r *bufio.Reader, user, password string) error {
	secret := user + " " + password
	if _, err := fmt.Fprintf(w, "set auth 0 0 %d\r\n%s\r\n", len(secret), secret); err != nil {
		return err
	}
	line, err := readLine(r)
	if err != nil {
		return err
	}
	if line != "STORED" {
		return fmt.Errorf("%w: it refuses the user or the password", errUnusable)
	}
	return nil
}
