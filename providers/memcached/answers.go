package memcached

import (
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var (
	// errRefused: the server did not carry a request out, and said so.
	errRefused = errors.New("the server refuses the request")
	errNoSense = errors.New("the server's answer makes no sense")
	// errCrowded: the server has as many connections as it takes. It has read nothing.
	errCrowded = fmt.Errorf("%w: it has as many connections as it takes (-c)", errRefused)
)

// answers are the lines by which a server says that it has not done what it was asked, and
// what they mean; the first that fits counts. After driver.ErrFull and driver.ErrTooLarge
// the connection is in order. Any other answer leaves open what was done.
var answers = []struct {
	begin string
	means error
}{
	{"SERVER_ERROR out of memory storing object", driver.ErrFull},
	{"SERVER_ERROR Out of memory during read", driver.ErrFull}, // for a part of a large item
	{"SERVER_ERROR Out of memory allocating", driver.ErrFull},
	{"SERVER_ERROR object too large for cache", driver.ErrTooLarge},
	{"SERVER_ERROR out of memory reading request", errRefused},
	{"SERVER_ERROR", errNoSense},
	{"CLIENT_ERROR", errRefused},
	{"ERROR Too many open connections", errCrowded},
	{"ERROR", errRefused},
}

// meaning returns what an error of gomemcache means that is no isAnswer. It passes on errors of
// the network; others quote the server's line, which may hold a key or a value.
func meaning(err error) error {
	var network net.Error
	if errors.As(err, &network) || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	_, quoted, _ := strings.Cut(err.Error(), `: "`)
	_, line, storing := strings.Cut(err.Error(), "unexpected response line from ")
	if _, of, ok := strings.Cut(line, `: "`); ok {
		quoted = of
	}
	means := meaningOf(quoted)
	if !storing && (errors.Is(means, driver.ErrFull) || errors.Is(means, driver.ErrTooLarge)) {
		return errNoSense // who reads needs no room
	}
	return means
}

func meaningOf(line string) error {
	for _, a := range answers {
		if strings.HasPrefix(line, a.begin) {
			return a.means
		}
	}
	return errNoSense
}

// isAnswer reports whether an error of gomemcache tells what became of a request.
func isAnswer(err error) bool {
	return errors.Is(err, memcache.ErrCacheMiss) || errors.Is(err, memcache.ErrNotStored) || errors.Is(err, memcache.ErrCASConflict)
}
