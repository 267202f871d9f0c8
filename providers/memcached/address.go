package memcached

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

const defaultPort = "11211"

// An address is the host:port of a server. It is the net.Addr that gomemcache asks for.
type address string

// Network implements net.Addr.
func (address) Network() string { return "tcp" }

// String implements net.Addr.
func (a address) String() string { return string(a) }

func (a address) host() string {
	host, _, _ := net.SplitHostPort(string(a)) // parseAddress has checked it
	return host
}

// checkServers is parseServers for a setting.
func checkServers(value any) error {
	_, err := parseServers(value.([]string))
	return err
}

// agreedServers is for processes that have the same list in another order.
func agreedServers(value any) (text, effect string) {
	addresses, _ := parseServers(value.([]string)) // checkServers has seen it
	for _, a := range addresses {
		text += " " + string(a)
	}
	return strings.TrimSpace(text), "each looks for sessions and entries where the other does not keep them"
}

// parseServers reads a list of addresses and sorts it, so that the order in which
// they are given has no effect on anything. The error joins all problems.
func parseServers(list []string) (addresses []address, err error) {
	var errs []error
	for _, text := range list {
		a, err := parseAddress(text)
		switch {
		case err != nil:
			errs = append(errs, err)
		case slices.Contains(addresses, a):
			errs = append(errs, fmt.Errorf("%s is given twice", a))
		default:
			addresses = append(addresses, a)
		}
	}
	slices.Sort(addresses)
	return addresses, errors.Join(errs...)
}

// parseAddress reads host:port or host.
func parseAddress(text string) (address, error) {
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
	return address(net.JoinHostPort(host, port)), nil
}
