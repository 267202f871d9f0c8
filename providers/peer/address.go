package peer

import (
	"fmt"
	"net"
	"strconv"
	"strings"
)

// maxPorts bounds a range of ports.
const maxPorts = 64

// addresses returns the addresses that a list of host:port and host:first-last stands for.
func addresses(list []string) (all []string, err error) {
	for _, text := range list {
		some, err := ports(text)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

func ports(text string) ([]string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		return nil, fmt.Errorf("%q is not an address such as 10.1.0.5:7801", text)
	}
	from, to, ranged := strings.Cut(port, "-")
	first, err := strconv.Atoi(from)
	last := first
	if err == nil && ranged {
		last, err = strconv.Atoi(to)
	}
	if err != nil || first < 0 || first > last || last > 65535 || ranged && first == 0 || last-first >= maxPorts {
		return nil, fmt.Errorf("%q does not end in a port, or in a range of up to %d ports", text, maxPorts)
	}
	var all []string
	for port := first; port <= last; port++ {
		all = append(all, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	return all, nil
}
