package setting

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// HostPort reads host:port, or host, which has the default port then. The result is host:port,
// the same for all texts that differ only in that. The error says what is wrong with the text.
func HostPort(text, defaultPort string) (string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"), defaultPort
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return "", fmt.Errorf("%q has no port between 1 and 65535", text)
	}
	_, notIP := netip.ParseAddr(host)
	if host == "" || notIP != nil && strings.ContainsFunc(host, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(":/[]@", r)
	}) {
		return "", fmt.Errorf("%q is not host:port or host", text)
	}
	return net.JoinHostPort(host, port), nil
}

// Addresses reads each address of a list, none of which may be given twice, in whatever form. The
// error joins all problems.
func Addresses[A comparable](list []string, read func(text string) (A, error)) (addresses []A, err error) {
	var errs []error
	for _, text := range list {
		a, err := read(text)
		switch {
		case err != nil:
			errs = append(errs, err)
		case slices.Contains(addresses, a):
			errs = append(errs, fmt.Errorf("%v is given twice", a))
		default:
			addresses = append(addresses, a)
		}
	}
	return addresses, errors.Join(errs...)
}

var validPrefix = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// CheckPrefix is a Check for the beginning of all keys of a provider in a store that is shared.
func CheckPrefix(value any) error {
	if !validPrefix.MatchString(value.(string)) {
		return errors.New("must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
	}
	return nil
}
