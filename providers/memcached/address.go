package memcached

import (
	"net"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
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
func parseServers(list []string) ([]address, error) {
	addresses, err := setting.Addresses(list, parseAddress)
	slices.Sort(addresses)
	return addresses, err
}

// parseAddress reads host:port or host.
func parseAddress(text string) (address, error) {
	a, err := setting.HostPort(text, defaultPort)
	return address(a), err
}
