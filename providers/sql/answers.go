package sql

import (
	"context"
	stdsql "database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// An answer is what an error that the database answered means. The text of such an error may
// hold keys and values, so only why reaches people.
type answer struct {
	means error
	why   string
	// passes says that the same statement may be carried out in a moment.
	passes bool
	// unknown says that a write may have been carried out all the same.
	unknown bool
	// leave says that another connection is needed, which may lead to another server.
	leave bool
}

// answered returns what a code of the dialect means.
func (d *dialect) answered(code string) answer {
	if a, ok := d.answers[code]; ok {
		return a
	}
	return answer{means: driver.ErrMisconfigured, why: "the database refuses the statement with the code " + code}
}

// A verdict is what becomes of a call after an error.
type verdict struct {
	err    error
	passes bool // nothing was changed, and the same may succeed in a moment
	leave  bool
}

// judge says what an error means. sent tells that the statement may have been sent, and writes
// that it changes something.
func (p *Provider) judge(ctx context.Context, err error, sent, writes bool) verdict {
	risky := sent && writes
	if code := p.driver.Code(err); code != "" && ended(ctx, err) == nil {
		if code == p.statements.unique {
			return verdict{err: errPresent}
		}
		a := p.statements.answered(code)
		if a.unknown && risky {
			return verdict{err: fmt.Errorf("%w: %s", driver.ErrIndeterminate, a.why)}
		}
		return verdict{fmt.Errorf("%w: %s", a.means, a.why), a.passes, a.leave}
	}
	unsent := errors.Is(err, stdsql.ErrBadConn) // the client says that nothing was sent
	means := driver.ErrUnavailable
	if risky && !unsent {
		means = driver.ErrIndeterminate
	}
	if end := ended(ctx, err); end != nil {
		return verdict{err: fmt.Errorf("%w: %w", means, end)}
	}
	return verdict{err: fmt.Errorf("%w: %w", means, reason(err)), passes: errors.Is(means, driver.ErrUnavailable)}
}

// errPresent: insert met a row.
var errPresent = errors.New("there is a row of that key")

// ended is the error of a context that has ended, or for whose end the call was given up.
func ended(ctx context.Context, err error) error {
	if end := ctx.Err(); end != nil {
		return end
	}
	if deadline, ok := ctx.Deadline(); ok && !time.Now().Before(deadline) {
		return context.DeadlineExceeded // it does not know yet
	}
	for _, end := range []error{context.DeadlineExceeded, context.Canceled} {
		if errors.Is(err, end) {
			return end
		}
	}
	return nil
}

var (
	// errSilent: the database did not answer for as long as the provider waits.
	errSilent      = errors.New("it does not answer")
	errNobody      = errors.New("nobody listens there")
	errBroken      = errors.New("the connection broke")
	errCertificate = errors.New("the certificate of the server is not accepted")
	errNoTLS       = errors.New("the server does not speak TLS")
)

// reason says in a few words why the database cannot be reached. The errors of clients may show
// addresses and users, and those of networks name ports that differ each time.
func reason(err error) error {
	var (
		dns     *net.DNSError
		network net.Error
	)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return errNobody
	case errors.As(err, &dns):
		return &net.DNSError{Name: dns.Name, Err: "the name of the host cannot be resolved", IsNotFound: dns.IsNotFound}
	case errors.Is(err, errSilent), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &network) && network.Timeout():
		return errSilent
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, net.ErrClosed):
		return errBroken
	}
	if why := tlsReason(err); why != nil {
		return why
	}
	return errors.New("the connection failed")
}
