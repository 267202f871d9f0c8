package redis

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	defaultPort  = "6379"
	sentinelPort = "26379"
	socketMark   = "unix:"
)

// network returns how an address that parseAddress has made is dialled.
func network(addr string) (network, address string) {
	if path, ok := strings.CutPrefix(addr, socketMark); ok {
		return "unix", path
	}
	return "tcp", addr
}

// checkServers is parseServers for a setting.
func checkServers(value any) error {
	_, err := parseServers(value.([]string), defaultPort)
	return err
}

// parseServers reads a list of addresses, with the port of those that have none. The error joins all
// problems.
func parseServers(list []string, port string) (addresses []string, err error) {
	var errs []error
	for _, text := range list {
		a, err := parseAddress(text, port)
		switch {
		case err != nil:
			errs = append(errs, err)
		case slices.Contains(addresses, a):
			errs = append(errs, fmt.Errorf("%s is given twice", a))
		default:
			addresses = append(addresses, a)
		}
	}
	return addresses, errors.Join(errs...)
}

// parseAddress reads host:port, host, or unix:/path.
func parseAddress(text, defaultPort string) (string, error) {
	if path, ok := strings.CutPrefix(text, socketMark); ok {
		if !filepath.IsAbs(path) {
			return "", fmt.Errorf("%q has no absolute path after %s", text, socketMark)
		}
		return text, nil
	}
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
		return "", fmt.Errorf("%q is not host:port, host or unix:/path", text)
	}
	return net.JoinHostPort(host, port), nil
}
