package redis

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
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
	return setting.Addresses(list, func(text string) (string, error) { return parseAddress(text, port) })
}

// parseAddress reads host:port, host, or unix:/path.
func parseAddress(text, defaultPort string) (string, error) {
	if path, ok := strings.CutPrefix(text, socketMark); ok {
		if !filepath.IsAbs(path) {
			return "", fmt.Errorf("%q has no absolute path after %s", text, socketMark)
		}
		return text, nil
	}
	return setting.HostPort(text, defaultPort)
}
