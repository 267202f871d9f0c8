package wire

import (
	"context"
	"errors"
	"fmt"
)

// The errors of calls and messages. An error that is not ErrNotSent leaves open
// whether the other side got the message.
var (
	// ErrNotSent is an error of a message that certainly did not leave this process.
	ErrNotSent = errors.New("the message was not sent")
	// ErrOverloaded is an ErrNotSent: the queue to the peer is full.
	ErrOverloaded = fmt.Errorf("%w: the queue to the peer is full", ErrNotSent)
	// ErrTooLarge is an ErrNotSent: the message is longer than MaxBody.
	ErrTooLarge = fmt.Errorf("%w: it is too large", ErrNotSent)
	// ErrBroken means that the connection broke before the answer came.
	ErrBroken = errors.New("the connection to the peer broke")
	// ErrUnknownType means that the peer does not know this type of request, and so
	// did nothing.
	ErrUnknownType = errors.New("the peer does not know this type of request")
)

// The errors of connecting.
var (
	// ErrClosed means that this endpoint was closed, or the peer forgotten.
	ErrClosed = errors.New("the endpoint is closed")
	// ErrMismatch means that the hello of one side does not suit the other.
	ErrMismatch = errors.New("the members do not fit together")
	// ErrSelf means that an address is this process's own.
	ErrSelf = errors.New("the address is this process's own")
	// ErrReplaced means that another process than expected lives at an address, so
	// that the expected one is gone.
	ErrReplaced = errors.New("another process lives at the address")
	// ErrNoAnswer means that somebody listens at an address, but did not say in time who
	// that is.
	ErrNoAnswer = errors.New("somebody listens and does not answer")
	// ErrProtocol means that whoever listens at an address speaks another protocol.
	ErrProtocol = errors.New("not the protocol of the grid")
	// ErrUntrusted means that a certificate was not accepted.
	ErrUntrusted = errors.New("the members do not trust each other")
	// ErrInsecure means that plaintext was asked for beyond the loopback interface.
	ErrInsecure = errors.New("plaintext is for loopback addresses only")

	errTooMany = errors.New("there are too many connections")
	errStalled = errors.New("the peer does not read its answers")
)

// notSent wraps the reason why a message was not sent.
func notSent(err error) error {
	if errors.Is(err, ErrNotSent) {
		return err
	}
	return fmt.Errorf("%w: %w", ErrNotSent, err)
}

// broken wraps the reason why a connection broke.
func broken(err error) error { return fmt.Errorf("%w: %w", ErrBroken, err) }

// overloaded is the error of a message for which no room came while ctx lasted.
func overloaded(ctx context.Context) error {
	return fmt.Errorf("%w: %w", ErrOverloaded, context.Cause(ctx))
}
