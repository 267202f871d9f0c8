package configfile

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// sessionElement has Open Liberty's httpSession attributes, and absoluteTimeout.
var sessionElement = &element{
	name: "httpSession",
	doc:  "HTTP sessions and their cookie.",
	words: []word{
		{Setting: driver.Setting{Name: "id", Doc: "Name for programs and for httpSessionCache; needed if there are several."}, valid: validID},
		{Setting: driver.Setting{Name: idleWord, Kind: driver.KindDuration, Default: "30m", Min: -int64(time.Second),
			Doc: "How long a session lives without being used; -1: for ever."}, valid: positiveOrMinusOne},
		{Setting: driver.Setting{Name: "absoluteTimeout", Kind: driver.KindDuration, Default: "-1", Min: -int64(time.Second),
			Doc: "How long a session lives however much it is used; -1: no limit."}, valid: positiveOrMinusOne},
		{Setting: driver.Setting{Name: "cookieName", Agree: agreedCookie,
			Doc: "Name of the cookie; if it is empty, __Host-session, or session where browsers would refuse that name."},
			liberty: "JSESSIONID", valid: validCookieName},
		{Setting: driver.Setting{Name: "cookieDomain", Doc: "Domain whose subdomains share the cookie; empty: only the host that set it."}, valid: validCookieDomain},
		{Setting: driver.Setting{Name: "cookiePath", Default: "/", Doc: "The part of the site that the cookie is for."}, valid: validCookiePath},
		{Setting: driver.Setting{Name: "cookieMaxAge", Kind: driver.KindDuration, Default: "-1", Min: -int64(time.Second),
			Doc: "How long the browser keeps the cookie, in whole seconds; -1: until it is closed."}, valid: validMaxAge},
		{Setting: driver.Setting{Name: "cookieSecure", Kind: driver.KindBool, Default: "true", Doc: "Whether the cookie is only sent over HTTPS."},
			liberty: "false"},
		{Setting: driver.Setting{Name: "cookieHttpOnly", Kind: driver.KindBool, Default: "true", Doc: "Whether the cookie is hidden from scripts."}},
		{Setting: driver.Setting{Name: "cookieSameSite", Default: "Lax", OneOf: []string{"Strict", "Lax", "None", "Disabled"},
			Doc: "Which requests from other sites carry the cookie: none, links, or all; Disabled leaves it to the browser."},
			liberty: "Disabled"},
		{Setting: driver.Setting{Name: "cookiePartitioned", Kind: driver.KindBool, Doc: "Whether each site that embeds this one has a cookie of its own."}},
		{Setting: driver.Setting{Name: "idLength", Kind: driver.KindInt, Default: "43",
			Doc: "Characters of an id, of 6 random bits each: 22 to 128."},
			liberty: "23", valid: validIDLength},
		{Setting: driver.Setting{Name: "whenLost", Default: "fail", OneOf: []string{"fail", "newSession"},
			Doc: "What a visitor gets whose session is on a server of the provider that is down: an error, since the server may come back with it, or a new session."}},
		{Setting: driver.Setting{Name: "codec", Default: codec.Default,
			Doc: "How attributes are encoded: cbor, json, gob, or a format of the program's. What was encoded otherwise stays readable."},
			valid: validCodec},
	},
	fixed: []fixed{
		{Setting: driver.Setting{Name: "cookiesEnabled", Kind: driver.KindBool},
			only: "true", why: "the id is only carried by a cookie"},
		{Setting: driver.Setting{Name: "urlRewritingEnabled", Kind: driver.KindBool},
			only: "false", why: noIDInURL},
		{Setting: driver.Setting{Name: "protocolSwitchRewritingEnabled", Kind: driver.KindBool},
			only: "false", why: noIDInURL},
		{Setting: driver.Setting{Name: "alwaysEncodeUrl", Kind: driver.KindBool},
			only: "false", why: noIDInURL},
		{Setting: driver.Setting{Name: "sslTrackingEnabled", Kind: driver.KindBool},
			only: "false", why: "browsers change their TLS session as they like; the id is carried by a cookie"},
		{Setting: driver.Setting{Name: "idReuse", Kind: driver.KindBool},
			only: "false", why: "an id that no session has is never taken over, since somebody else may have chosen it"},
		{Setting: driver.Setting{Name: "noAdditionalInfo", Kind: driver.KindBool},
			only: "true", why: "the cookie carries the id and nothing else"},
		{Setting: driver.Setting{Name: "useContextRootAsCookiePath", Kind: driver.KindBool},
			only: "false", why: "there is no context root; set cookiePath"},
		{Setting: driver.Setting{Name: "allowOverflow", Kind: driver.KindBool},
			only: "true", why: "the number of sessions has no bound but the provider's own"},
		{Setting: driver.Setting{Name: "reaperPollInterval", Kind: driver.KindDuration, Min: -int64(time.Second)},
			only: "-1", why: noReaper},
		{Setting: driver.Setting{Name: "allowSerializedAccess", Kind: driver.KindBool},
			only: "false", why: noSerialAccess},
		{Setting: driver.Setting{Name: "securityIntegrationEnabled", Kind: driver.KindBool},
			only: "false", why: "sessions are not bound to users; renew the id at login", liberty: "true"},
		{Setting: driver.Setting{Name: "securityUserIgnoreCase", Kind: driver.KindBool},
			only: "false", why: "sessions are not bound to users"},
		{Setting: driver.Setting{Name: "invalidateOnUnauthorizedSessionRequestException", Kind: driver.KindBool},
			only: "false", why: "sessions are not bound to users"},
		{Setting: driver.Setting{Name: "debugCrossover", Kind: driver.KindBool},
			only: "false", why: "a session belongs to the context of its request; no thread can be given another one's"},
	},
	refused: map[string]string{
		"maxInMemorySessionCount":               "this server keeps no copies of sessions in its memory",
		"forceInvalidationMultiple":             "a session ends at its deadline, whether or not a request is using it",
		"rewriteId":                             noIDInURL,
		"cloneId":                               noServerInCookie,
		"cloneSeparator":                        noServerInCookie,
		"modifyActiveCountOnInvalidatedSession": "active sessions are not counted",
		"maxWaitTime":                           noSerialAccess,
		"accessOnTimeout":                       noSerialAccess,
	},
	repeated: true,
}

const (
	noIDInURL        = "ids in URLs leak through logs, bookmarks and the Referer header; the id is only carried by a cookie"
	noServerInCookie = "the cookie names no server; any server can serve the session, and a balancer can set a cookie of its own"
	noSerialAccess   = "requests of a session do not wait for each other, their changes are merged; where that is not enough, programs use httpsession.Update"
)

const (
	idleWord = "invalidationTimeout"
	forever  = -time.Second // as -1 is read
)

// idleTime is an invalidationTimeout in the words of httpsession.
func idleTime(d time.Duration) time.Duration {
	if d == forever {
		return httpsession.Forever
	}
	return d
}

// sessionOptions says what the settings of sessionElement mean.
func sessionOptions(v driver.Values) httpsession.Options {
	sameSite := map[string]http.SameSite{
		"Strict": http.SameSiteStrictMode, "Lax": http.SameSiteLaxMode,
		"None": http.SameSiteNoneMode, "Disabled": http.SameSiteDefaultMode,
	}
	return httpsession.Options{
		MaxInactive: idleTime(v.Duration(idleWord)),
		Lifetime:    max(0, v.Duration("absoluteTimeout")),
		IDLength:    int(v.Int("idLength")),
		Codec:       v.String("codec"),
		WhenLost:    map[string]httpsession.WhenLost{"newSession": httpsession.NewSession}[v.String("whenLost")],
		Cookie: httpsession.Cookie{
			Name:        v.String("cookieName"),
			Domain:      v.String("cookieDomain"),
			Path:        v.String("cookiePath"),
			MaxAge:      max(0, v.Duration("cookieMaxAge")),
			AllowHTTP:   !v.Bool("cookieSecure"),
			AllowScript: !v.Bool("cookieHttpOnly"),
			SameSite:    sameSite[v.String("cookieSameSite")],
			Partitioned: v.Bool("cookiePartitioned"),
		},
	}
}

// sessionValues says how options are written, the inverse of sessionOptions. The options
// are complete.
func sessionValues(id string, o httpsession.Options) map[string]any {
	sameSite := map[http.SameSite]string{
		http.SameSiteStrictMode: "Strict", http.SameSiteLaxMode: "Lax",
		http.SameSiteNoneMode: "None", http.SameSiteDefaultMode: "Disabled",
	}
	orForever := func(d time.Duration) time.Duration {
		if d <= 0 || d == httpsession.Forever {
			return forever
		}
		return d
	}
	return map[string]any{
		"id":                id,
		idleWord:            orForever(o.MaxInactive),
		"absoluteTimeout":   orForever(o.Lifetime),
		"idLength":          int64(o.IDLength),
		"codec":             o.Codec,
		"whenLost":          map[httpsession.WhenLost]string{httpsession.FailRequest: "fail", httpsession.NewSession: "newSession"}[o.WhenLost],
		"cookieName":        o.Cookie.Name,
		"cookieDomain":      o.Cookie.Domain,
		"cookiePath":        o.Cookie.Path,
		"cookieMaxAge":      orForever(o.Cookie.MaxAge),
		"cookieSecure":      !o.Cookie.AllowHTTP,
		"cookieHttpOnly":    !o.Cookie.AllowScript,
		"cookieSameSite":    sameSite[o.Cookie.SameSite],
		"cookiePartitioned": o.Cookie.Partitioned,
	}
}

func positiveOrMinusOne(v any) error {
	const longest = 100 * 365 * 24 * time.Hour // that sessions take
	switch d := v.(time.Duration); {
	case d <= 0 && d != forever:
		return errors.New("must be positive, or -1 for no end")
	case d > longest:
		return errors.New("must be at most 100 years, or -1 for no end")
	}
	return nil
}

func validIDLength(v any) error {
	if n := v.(int64); n < 22 || n > 128 {
		return errors.New("must be 22 to 128 characters; ids of fewer than 22, of 6 bits each, could be guessed")
	}
	return nil
}

func validMaxAge(v any) error {
	if d := v.(time.Duration); d <= 0 && d != forever || d%time.Second != 0 {
		return errors.New("must be one or more whole seconds, or -1 for a cookie that ends with the browser")
	}
	return nil
}

func validCookieName(v any) error {
	if name := v.(string); name != "" && (&http.Cookie{Name: name}).Valid() != nil {
		return errors.New("a cookie's name has letters, digits and marks such as - _ . but no space, comma, semicolon, bracket, quote or =")
	}
	return nil
}

func agreedCookie(v any) (text, effect string) {
	return v.(string), "visitors have another session there"
}

func validCookieDomain(v any) error {
	if (&http.Cookie{Name: "x", Domain: v.(string)}).Valid() != nil {
		return errors.New("is not a domain such as example.org")
	}
	return nil
}

func validCookiePath(v any) error {
	if path := v.(string); !strings.HasPrefix(path, "/") || (&http.Cookie{Name: "x", Path: path}).Valid() != nil {
		return errors.New("must begin with / and have no semicolon")
	}
	return nil
}
