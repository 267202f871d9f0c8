package jcache

import (
	"errors"
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// The conditions that a program can act on. They are found with errors.Is behind
// the *Error that every operation returns. What a provider cannot do at all is
// an error that wraps errors.ErrUnsupported; a context's own errors are found
// likewise. A key that is not there is no error.
var (
	// ErrClosed: the cache or its manager is closed.
	ErrClosed = engine.ErrClosed
	// ErrInvalid: an argument or option makes no sense. Nothing was changed.
	ErrInvalid = codec.ErrInvalid
	// ErrCacheExists: CreateCache was given a name that is in use.
	ErrCacheExists = errors.New("cache exists already")
	// ErrCacheNotFound: GetCache was given a name that nobody created or
	// declared.
	ErrCacheNotFound = errors.New("no such cache")
	// ErrTypeMismatch: the cache was created with other key or value types, or
	// a value was stored as another type than it is read as.
	ErrTypeMismatch = codec.ErrTypeMismatch
	// ErrUnknownProvider: no provider of that name is linked into the program.
	ErrUnknownProvider = errors.New("unknown provider")
	// ErrUndecodable: a stored record is damaged, or was written with another
	// codec or by a newer version.
	ErrUndecodable = codec.ErrUndecodable
	// ErrContention: other writers changed the key between every read and swap,
	// as often as was tried. Nothing was changed.
	ErrContention = engine.ErrContention

	// ErrProcessor: a registered processor returned an error, or a processor panicked on
	// a goroutine that it did not start. Nothing was changed.
	ErrProcessor = errors.New("the processor failed")
	// ErrPanic: code of the program (a processor, a policy, a codec, an Equal) panicked on
	// a goroutine that it did not start. It is the error of the key that it worked
	// on, which is as it was. The text names the type of what it panicked with; the
	// default logger of log/slog has the stack.
	ErrPanic = engine.ErrPanic

	// ErrUnavailable: the provider could not be reached. Nothing was changed;
	// repeating the operation is safe.
	ErrUnavailable = driver.ErrUnavailable
	// ErrMisconfigured: the provider is there and cannot be used as it is configured:
	// it refuses the credentials, speaks another protocol, or lacks what is needed.
	// Nothing was changed; repeating does not help, and the text says what may.
	ErrMisconfigured = driver.ErrMisconfigured
	// ErrIndeterminate: the acknowledgement of a write was lost and reading
	// the key again could not tell whether it was applied.
	ErrIndeterminate = driver.ErrIndeterminate
	// ErrAnswerLost: what the operation asked for holds, so that it need not be
	// repeated: what it stores is stored, what it removes is gone. But its answer
	// was lost with the acknowledgement: the value that was there, whether there was
	// one, the result of a processor. Such an error matches ErrIndeterminate, too.
	ErrAnswerLost = engine.ErrAnswerLost
	// ErrTooLarge: the key or value exceeds what the provider takes.
	ErrTooLarge = driver.ErrTooLarge
	// ErrFull: the provider has no room and does not evict.
	ErrFull = driver.ErrFull
)

// Error says which operation failed, on which cache of which provider. It names
// neither key nor value.
type Error struct {
	Op       string // such as "put"
	Cache    string // its name; empty if the operation is none of a cache
	Provider string // such as "redis"
	Err      error  // what happened
}

// Error reads "jcache: put catalog (memcached): provider unavailable: …".
func (e *Error) Error() string {
	text := "jcache: " + e.Op
	if e.Cache != "" {
		text += " " + e.Cache
	}
	if e.Provider != "" {
		text += " (" + e.Provider + ")"
	}
	return text + ": " + e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// A BatchError is the cause of a failed bulk operation. The entries it does not
// list were processed.
type BatchError[K comparable] struct {
	// Failed holds the error of each key that was not processed.
	Failed map[K]error
	// Of is the number of keys of the operation.
	Of int
}

// Error counts the failures and repeats one of them. It names no keys.
func (e *BatchError[K]) Error() string {
	for _, err := range e.Failed {
		return fmt.Sprintf("%d of %d entries failed, one of them with: %v", len(e.Failed), e.Of, err)
	}
	return "no entry failed"
}

// Unwrap returns the errors of the keys, in no order.
func (e *BatchError[K]) Unwrap() []error {
	errs := make([]error, 0, len(e.Failed))
	for _, err := range e.Failed {
		errs = append(errs, err)
	}
	return errs
}
