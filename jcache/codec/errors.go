package codec

import "errors"

// What codecs answer. Package jcache has the same errors.
var (
	// ErrInvalid: the value cannot be stored so that it comes back equal.
	ErrInvalid = errors.New("invalid argument")
	// ErrTypeMismatch: the value was stored as another type than it is read as.
	ErrTypeMismatch = errors.New("type mismatch")
	// ErrUndecodable: what is stored is damaged, or was written with another codec
	// or by a newer version.
	ErrUndecodable = errors.New("undecodable record")
)
