package driver

import "errors"

// The conditions that a driver reports and the portable layer acts on. Drivers
// wrap them around the cause: fmt.Errorf("%w: %w", driver.ErrUnavailable, err).
var (
	// ErrUnavailable: the backend could not be reached or refused to serve.
	// Nothing was changed; the call may be repeated.
	ErrUnavailable = errors.New("provider unavailable")

	// ErrMisconfigured: the backend is there and cannot be used as it is configured:
	// it refuses the credentials, speaks another protocol, or lacks what is needed.
	// Nothing was changed; repeating the call does not help.
	ErrMisconfigured = errors.New("provider misconfigured")

	// ErrIndeterminate: a write was sent and its acknowledgement was lost. It
	// may have been applied, may not have been, or may be applied later.
	ErrIndeterminate = errors.New("outcome unknown")

	// ErrTooLarge: a key or a record exceeds what the backend takes. Nothing
	// was changed.
	ErrTooLarge = errors.New("too large")

	// ErrFull: the backend has no room for the record and does not evict.
	// Nothing was changed.
	ErrFull = errors.New("no room left")

	// ErrNoProcessor: the process that serves the key does not know the processor.
	// Nothing was changed.
	ErrNoProcessor = errors.New("no such processor")
)
