package httpsession

import (
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"
)

// Options configures a Manager. The zero value is safe and needs HTTPS.
type Options struct {
	// CacheName is the name of the jcache cache that holds the sessions. Servers
	// that share sessions use the same name. Empty: "sessions".
	CacheName string

	// MaxInactive is how long a session lives without being used. A session is
	// never ended before, and at most a hundredth of MaxInactive, or a minute if
	// that is less, after that time. Zero: 30 minutes. Negative: for ever.
	// A session can have a value of its own, see Session.SetMaxInactive.
	MaxInactive time.Duration

	// Lifetime is how long a session lives however much it is used. Renewing
	// the id does not prolong it. Zero: no limit.
	Lifetime time.Duration

	// Cookie describes the cookie that carries the id.
	Cookie Cookie

	// IDLength is the number of characters of an id, of 6 random bits each.
	// Zero: 43, which is 258 bits. Allowed: 22 to 128.
	IDLength int

	// OnError answers a request whose session could not be stored. It may use
	// the writer as a handler does, and must not tell the client the error. Nil:
	// a short text with the status that Status returns.
	OnError func(w http.ResponseWriter, r *http.Request, err error)

	// Logger gets what goes wrong where no caller can be told. It never gets
	// ids or attributes. Nil: slog.Default().
	Logger *slog.Logger
}

// A Cookie describes the session cookie. The zero value is sent over HTTPS only,
// is hidden from scripts, is not sent along by other sites' forms, and ends with
// the browser.
type Cookie struct {
	// Name of the cookie. Empty: "__Host-session", or "session" where the
	// browser would refuse that name: with AllowHTTP, a Domain or a Path.
	Name string
	// Domain lets the subdomains of a domain share the cookie. Empty: only the
	// host that set it.
	Domain string
	// Path limits the cookie to a part of the site. Empty: "/".
	Path string
	// MaxAge lets the cookie outlive the browser. Zero: it does not.
	MaxAge time.Duration
	// AllowHTTP sends the cookie over plain HTTP too. For development.
	AllowHTTP bool
	// AllowScript lets scripts in the page read the cookie.
	AllowScript bool
	// SameSite says which requests from other sites carry the cookie. Zero:
	// http.SameSiteLaxMode, links but not forms and scripts.
	// http.SameSiteDefaultMode leaves the attribute out.
	SameSite http.SameSite
	// Partitioned keeps a cookie of its own for each site that embeds this one.
	Partitioned bool
}

const (
	defaultCacheName   = "sessions"
	defaultMaxInactive = 30 * time.Minute
	defaultIDLength    = 43
	minIDLength        = 22 // 132 bits; OWASP asks for 128
	maxIDLength        = 128
	secureCookieName   = "__Host-session"
	plainCookieName    = "session"
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
	if o.Lifetime < 0 {
		errs = append(errs, errors.New("httpsession: Lifetime must not be negative"))
	}
	if o.IDLength < minIDLength || o.IDLength > maxIDLength {
		errs = append(errs, fmt.Errorf("httpsession: IDLength must be %d to %d, not %d", minIDLength, maxIDLength, o.IDLength))
	}
	var err error
	if o.Cookie, err = o.Cookie.withDefaults(); err != nil {
		errs = append(errs, err)
	}
	return o, errors.Join(errs...)
}

func (c Cookie) withDefaults() (Cookie, error) {
	hostOnly := !c.AllowHTTP && c.Domain == "" && (c.Path == "" || c.Path == "/")
	if c.Name == "" {
		c.Name = plainCookieName
		if hostOnly {
			c.Name = secureCookieName
		}
	}
	if c.Path == "" {
		c.Path = "/"
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	var errs []error
	if err := c.cookie("x").Valid(); err != nil {
		errs = append(errs, fmt.Errorf("httpsession: %w", err))
	}
	if strings.HasPrefix(c.Name, "__Host-") && !hostOnly {
		errs = append(errs, errors.New("httpsession: browsers refuse a cookie named __Host-… that allows HTTP or has a Domain or a Path; rename it or leave those out"))
	}
	if strings.HasPrefix(c.Name, "__Secure-") && c.AllowHTTP {
		errs = append(errs, errors.New("httpsession: browsers refuse a cookie named __Secure-… that allows HTTP; rename it or use HTTPS"))
	}
	if c.SameSite == http.SameSiteNoneMode && c.AllowHTTP {
		errs = append(errs, errors.New("httpsession: browsers refuse a cookie with SameSite=None that allows HTTP"))
	}
	if c.MaxAge < 0 {
		errs = append(errs, errors.New("httpsession: Cookie.MaxAge must not be negative"))
	}
	return c, errors.Join(errs...)
}

// cookie returns the cookie that carries value.
func (c Cookie) cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name: c.Name, Value: value, Domain: c.Domain, Path: c.Path,
		MaxAge: int(c.MaxAge / time.Second), Secure: !c.AllowHTTP, HttpOnly: !c.AllowScript,
		SameSite: c.SameSite, Partitioned: c.Partitioned,
	}
}
