package redis

import (
	"errors"
	"fmt"
	"strings"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// An answer is what the first word of an error of a server means. In every case but UNTOLD nothing was
// done.
type answer struct {
	code  string
	means error
	why   string
	// passes says that the same request may be carried out in a moment.
	passes bool
}

// errNoScript: the server does not have a script that was named by its sum.
var errNoScript = errors.New("the server does not have the script")

// The text of a server's error may hold arguments of the request, so only its first word
// reaches people, and why.
var answers = []answer{
	{"NOSCRIPT", errNoScript, "", false},
	{"READONLY", driver.ErrUnavailable, "the server is a replica, which takes no writes", true},
	{"LOADING", driver.ErrUnavailable, "the server is loading its data", true},
	{"MASTERDOWN", driver.ErrUnavailable, "the server is a replica without its primary", true},
	{"CLUSTERDOWN", driver.ErrUnavailable, "the cluster does not serve: one of its primaries is missing", true},
	{"TRYAGAIN", driver.ErrUnavailable, "the cluster is moving the key", true},
	{"MOVED", driver.ErrUnavailable, "another server of the cluster has the key", true},
	{"ASK", driver.ErrUnavailable, "another server of the cluster is taking the key over", true},
	{"BUSY", driver.ErrUnavailable, "the server is executing somebody's script, which does not end", true},
	{"NOREPLICAS", driver.ErrUnavailable, "the primary has fewer replicas than min-replicas-to-write", true},
	{"MISCONF", driver.ErrUnavailable, "the server takes no writes, because it cannot save its data on disk", false},
	{"OOM", driver.ErrFull, "the server's maxmemory is used up", false},
	{"NOAUTH", driver.ErrMisconfigured, "the server demands a password; give password, and user if it has one", false},
	{"WRONGPASS", driver.ErrMisconfigured, "the server refuses the user or the password", false},
	{"NOPERM", driver.ErrMisconfigured, "the user may not do what is needed; docs/operations.md has the rules", false},
	{"DENIED", driver.ErrMisconfigured, "the server takes no connections from other machines (protected-mode)", false},
	{"WRONGTYPE", driver.ErrMisconfigured, "a key of this cache holds a list, a set or the like of another program; give the caches a prefix of their own", false},
	{"FOREIGN", errForeign, "", false},
	{"NONUMBER", errNoNumber, "", false},
	{"UNTOLD", driver.ErrIndeterminate, "it was carried out, but those who watch do not know: the user may not publish; docs/operations.md has the rules", false},
	{"EXECABORT", driver.ErrUnavailable, "the server has refused the request", false},
}

// codeOf returns the first word of a server's error. Servers before Redis 7 put that of a command
// within a script behind a text of their own.
func codeOf(err *rueidis.RedisError) string {
	text := err.Error()
	if strings.HasPrefix(text, "ERR Error running script") {
		if _, inner, ok := strings.Cut(text, ": -"); ok {
			text = inner
		}
	}
	code, _, _ := strings.Cut(text, " ")
	return code
}

// answered returns what a server's error means.
func answered(err *rueidis.RedisError) answer {
	code := codeOf(err)
	for _, a := range answers {
		if a.code == code {
			return a
		}
	}
	text := err.Error()
	switch {
	case strings.Contains(text, "max number of clients"):
		return answer{code, driver.ErrUnavailable, "the server has as many connections as it takes (maxclients)", true}
	case strings.Contains(text, "invalid password"):
		return answer{code, driver.ErrMisconfigured, "the server refuses the user or the password", false}
	case strings.Contains(text, "without any password configured"):
		return answer{code, driver.ErrMisconfigured, "the server has no password; remove password", false}
	case strings.Contains(text, "DB index"):
		return answer{code, driver.ErrMisconfigured, "the server has no database of this number", false}
	case strings.Contains(text, "unknown command"):
		return answer{code, driver.ErrMisconfigured, "the server lacks a command that is needed; it must be Redis 6.2 or later, or like it", false}
	}
	return answer{code, driver.ErrMisconfigured, "the server refuses the request with " + word(code), false}
}

// word is a code without what cannot be one.
func word(code string) string {
	if code == "" || strings.ContainsFunc(code, func(r rune) bool { return r < 'A' || r > 'Z' }) {
		return "an error"
	}
	return code
}

// err is the answer as an error.
func (a answer) err() error {
	if a.why == "" {
		return &refusedError{a.code, a.means}
	}
	return &refusedError{a.code, fmt.Errorf("%w: %s", a.means, a.why)}
}

// refusal returns what a server answered, if err is an answer.
func refusal(err error) (a answer, ok bool) {
	var refused *rueidis.RedisError
	if !errors.As(err, &refused) || refused.IsNil() {
		return answer{}, false
	}
	return answered(refused), true
}

// refusalOf is the code of the answer that an error was made of.
func refusalOf(err error) (code string, ok bool) {
	var r *refusedError
	if !errors.As(err, &r) {
		return "", false
	}
	return r.code, true
}

// A refusedError is an answer that nothing was done.
type refusedError struct {
	code string
	err  error
}

func (e *refusedError) Error() string { return e.err.Error() }
func (e *refusedError) Unwrap() error { return e.err }
