package httpsession

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

// Options configures a Manager. The zero value is safe and needs HTTPS.
type Options struct {
	// CacheName is the name of the jcache cache that holds the sessions. Servers
	// that share sessions use the same name. Empty: "sessions". With some providers there is
	// a second one, whose name has ".ended" after it.
	CacheName string

	// MaxInactive is how long a session lives without being used: a millisecond to a
	// hundred years, or Forever. A session is never ended before, and at most a
	// hundredth of MaxInactive, or a minute if that is less, after that time. Zero: 30
	// minutes. A session can have a value of its own, see Session.SetMaxInactive.
	MaxInactive time.Duration

	// Lifetime is how long a session lives however much it is used. Renewing
	// the id does not prolong it. Zero or Forever: no limit.
	Lifetime time.Duration

	// Cookie describes the cookie that carries the id.
	Cookie Cookie

	// Codec names the format in which attributes are encoded: "cbor", "json", "gob",
	// or one of codec.RegisterFormat. Attributes that were encoded in another one stay
	// readable. Empty: "cbor", which keeps most types.
	Codec string

	// IDLength is the number of characters of an id, of 6 random bits each.
	// Zero: 43, which is 258 bits. Allowed: 22 to 128.
	IDLength int

	// WhenLost is what happens to the request of a visitor whose session is on a server of
	// the provider that is known to be down.
	WhenLost WhenLost

	// OnError answers a request whose session could not be stored. It may use
	// the writer as a handler does, and must not tell the client the error. Nil:
	// a short text with the status that Status returns.
	OnError func(w http.ResponseWriter, r *http.Request, err error)

	// Logger gets what goes wrong where no caller can be told. It never gets
	// ids or attributes. Nil: slog.Default().
	Logger *slog.Logger
}

// WhenLost is what happens to a request whose session cannot be reached because its server
// is down, where the provider knows that.
type WhenLost uint8

const (
	// FailRequest answers it with an error, 503: the server may come back with the session.
	FailRequest WhenLost = iota
	// NewSession treats it like one without a session, so that the visitor gets a new
	// one. The session is not ended: should its server come back, whoever still has the
	// old id can use it until it expires.
	NewSession
)

const (
	defaultCacheName   = "sessions"
	defaultMaxInactive = 30 * time.Minute
	defaultIDLength    = 43
	minIDLength        = 22 // 132 bits; OWASP asks for 128
	maxIDLength        = 128
)

// WithDefaults returns the options as a Manager uses them, with every zero value
// filled in. The error lists all that is wrong with them.
func (o Options) WithDefaults() (Options, error) {
	if o.CacheName == "" {
		o.CacheName = defaultCacheName
	}
	if o.MaxInactive == 0 {
		o.MaxInactive = defaultMaxInactive
	}
	if o.Codec == "" {
		o.Codec = codec.Default
	}
	if o.IDLength == 0 {
		o.IDLength = defaultIDLength
	}
	if o.OnError == nil {
		o.OnError = replyError
	}
	if o.Logger == nil {
		o.Logger = slog.Default()
	}
	var errs []error
	var err error
	if o.MaxInactive, err = idleTime(o.MaxInactive); err != nil {
		errs = append(errs, err)
	}
	if o.Lifetime == Forever {
		o.Lifetime = 0
	}
	if o.Lifetime < 0 || o.Lifetime > longestIdle {
		errs = append(errs, errors.New("httpsession: Lifetime must not be negative, or more than 100 years"))
	}
	if o.WhenLost > NewSession {
		errs = append(errs, errors.New("httpsession: WhenLost is none of FailRequest and NewSession"))
	}
	if _, err := codec.FormatOf(o.Codec); err != nil {
		errs = append(errs, fmt.Errorf("httpsession: Codec: %w", err))
	}
	if o.IDLength < minIDLength || o.IDLength > maxIDLength {
		errs = append(errs, fmt.Errorf("httpsession: IDLength must be %d to %d, not %d", minIDLength, maxIDLength, o.IDLength))
	}
	if o.Cookie, err = o.Cookie.withDefaults(); err != nil {
		errs = append(errs, err)
	}
	return o, errors.Join(errs...)
}
