package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/hazelcast/hazelcast-go-client/hzerrors"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// refusals are the answers of a member, or of the client itself, that a request is not
// carried out. Nothing was changed.
var refusals = []error{
	hzerrors.ErrClientNotActive,
	hzerrors.ErrIllegalArgument,
	hzerrors.ErrHazelcastSerialization,
	hzerrors.ErrNotSerializable,
	hzerrors.ErrClassCast,
	hzerrors.ErrUnsupportedOperation,
	hzerrors.ErrSecurity,
	hzerrors.ErrAccessControl,
	hzerrors.ErrSplitBrainProtection,
	hzerrors.ErrMutationDisallowedException,
}

func refused(err error) bool {
	for _, target := range refusals {
		if errors.Is(err, target) {
			return true
		}
	}
	return false
}

// later reports whether a refused request may be accepted another time.
func later(err error) bool {
	return errors.Is(err, hzerrors.ErrClientNotActive) || errors.Is(err, hzerrors.ErrSplitBrainProtection)
}

var errNoAnswer = errors.New("no answer in time")

// readError maps the error of a call that changes nothing. ctx is the caller's.
func readError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case refused(err) && !later(err):
		return trimmed(err)
	case ctx.Err() != nil:
		return notSent(ctx.Err())
	default:
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, trimmed(err))
	}
}

// writeError maps the error of a call that changes something. Unless a member has
// refused the request nobody knows what became of it: the client reports the loss of a
// connection and the end of a context alike whether the request was sent or not, and
// a member may apply it later.
func writeError(ctx context.Context, err error) error {
	switch {
	case err == nil:
		return nil
	case refused(err) && later(err):
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, trimmed(err))
	case refused(err):
		return trimmed(err)
	case ctx.Err() != nil:
		return fmt.Errorf("%w: %w", driver.ErrIndeterminate, ctx.Err())
	default:
		return fmt.Errorf("%w: %w", driver.ErrIndeterminate, trimmed(err))
	}
}

// notSent is the error of a call whose context ended, and which has changed nothing. That
// the caller gave up is no fault of the cluster's.
func notSent(err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
}

// A trimmedError is an error of the client or a member without what it must not show:
// a member's message may name a key, and a Java stack trace follows it.
type trimmedError struct {
	text  string
	cause error
}

func (e *trimmedError) Error() string { return e.text }
func (e *trimmedError) Unwrap() error { return e.cause }

func trimmed(err error) error {
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		// Not the caller's context, which the mapping looks at first: an
		// attempt's.
		return errNoAnswer
	}
	return &trimmedError{text: trim(err.Error()), cause: err}
}

// trim keeps the first line of an error, or the class of a member's exception.
func trim(text string) string {
	_, answer, remote := strings.Cut(text, "server error:")
	if !remote {
		first, _, _ := strings.Cut(text, "\n")
		if half := (len(first) - 2) / 2; half > 0 && first == first[:half]+": "+first[:half] {
			first = first[:half] // as the client writes "X: X"
		}
		return first
	}
	class, _, _ := strings.Cut(strings.TrimSpace(answer), ":")
	class, _, _ = strings.Cut(class, "\n")
	return "a member answered " + class
}
