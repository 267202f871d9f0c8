package httpsession

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"
)

// A Cookie describes the session cookie. The zero value is sent over HTTPS only,
// is hidden from scripts, is not sent along by other sites' forms, and ends with
// the browser.
type Cookie struct {
	// Name of the cookie. Empty: "__Host-session", or "session" where the
	// browser would refuse that name: with AllowHTTP, a Domain or a Path. Browsers
	// refuse cookies whose names begin with __Host-, __Secure- or __Http-, in any
	// case, and that are not what the name says.
	Name string
	// Domain lets the subdomains of a domain share the cookie. Empty: only the
	// host that set it.
	Domain string
	// Path limits the cookie to a part of the site. It begins with "/". Empty: "/".
	Path string
	// MaxAge lets the cookie outlive the browser, in whole seconds. Zero: it does not.
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
	secureCookieName = "__Host-session"
	plainCookieName  = "session"
)

func (c Cookie) withDefaults() (Cookie, error) {
	if c.Path == "" {
		c.Path = "/"
	}
	if c.Name == "" {
		c.Name = plainCookieName
		if c.hostOnly() {
			c.Name = secureCookieName
		}
	}
	if c.SameSite == 0 {
		c.SameSite = http.SameSiteLaxMode
	}
	return c, c.check()
}

// hostOnly reports whether the cookie is what a name with __Host- promises.
func (c Cookie) hostOnly() bool { return !c.AllowHTTP && c.Domain == "" && c.Path == "/" }

// check returns all that is wrong with a cookie, be it for net/http or for browsers.
func (c Cookie) check() error {
	var errs []error
	refuse := func(wrong bool, text string) {
		if wrong {
			errs = append(errs, errors.New("httpsession: "+text))
		}
	}
	if err := c.cookie("x").Valid(); err != nil {
		errs = append(errs, fmt.Errorf("httpsession: %w", err))
	}
	named := func(prefix string) bool {
		return len(c.Name) >= len(prefix) && strings.EqualFold(c.Name[:len(prefix)], prefix)
	}
	refuse(named("__Host-") && !c.hostOnly(),
		"browsers refuse a cookie named __Host-… that allows HTTP or has a Domain or a Path; rename it or leave those out")
	refuse(named("__Secure-") && c.AllowHTTP,
		"browsers refuse a cookie named __Secure-… that allows HTTP; rename it or use HTTPS")
	refuse((named("__Http-") || named("__Host-Http-")) && (c.AllowHTTP || c.AllowScript),
		"browsers refuse a cookie named __Http-… or __Host-Http-… that allows HTTP or scripts; rename it or leave those out")
	refuse(c.SameSite == http.SameSiteNoneMode && c.AllowHTTP, "browsers refuse a cookie with SameSite=None that allows HTTP")
	refuse(c.SameSite < http.SameSiteDefaultMode || c.SameSite > http.SameSiteNoneMode,
		fmt.Sprintf("there is no SameSite mode %d; use one of the constants of net/http", c.SameSite))
	refuse(!strings.HasPrefix(c.Path, "/"), "Cookie.Path must begin with /; browsers ignore others")
	refuse(c.MaxAge < 0, "Cookie.MaxAge must not be negative")
	refuse(c.MaxAge%time.Second != 0, "Cookie.MaxAge must be whole seconds")
	return errors.Join(errs...)
}

// cookie returns the cookie that carries value.
func (c Cookie) cookie(value string) *http.Cookie {
	return &http.Cookie{
		Name: c.Name, Value: value, Domain: c.Domain, Path: c.Path,
		MaxAge: int(c.MaxAge / time.Second), Secure: !c.AllowHTTP, HttpOnly: !c.AllowScript,
		SameSite: c.SameSite, Partitioned: c.Partitioned,
	}
}
