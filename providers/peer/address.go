package peer

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/hashicorp/go-sockaddr"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// maxPorts bounds a range of ports.
const maxPorts = 64

// What the lowest port of an address may be: 0 stands for any that is free.
const (
	anyPort   = 0
	fixedPort = 1
)

// addresses returns the addresses that a list of host:port and host:first-last stands for. The
// error joins all problems.
func addresses(list []string, least int) (all []string, err error) {
	var errs []error
	for _, text := range list {
		some, err := ports(text, least)
		errs, all = append(errs, err), append(all, some...)
	}
	return all, errors.Join(errs...)
}

func checkAddresses(least int) func(any) error {
	return func(value any) error {
		_, err := addresses(value.([]string), least)
		return err
	}
}

func ports(text string, least int) ([]string, error) {
	host, port, err := net.SplitHostPort(text)
	if err != nil || strings.ContainsAny(host, " /@") {
		return nil, fmt.Errorf("%q is not an address such as 10.1.0.5:7801", text)
	}
	from, to, ranged := strings.Cut(port, "-")
	first, err := strconv.Atoi(from)
	last := first
	if err == nil && ranged {
		last, err = strconv.Atoi(to)
	}
	if err != nil || first < least || first > last || last > 65535 || ranged && first == 0 || last-first >= maxPorts {
		return nil, fmt.Errorf("%q does not end in a port from %d to 65535, or in a range of up to %d ports", text, least, maxPorts)
	}
	if least > 0 && (host == "" || isUnspecified(host)) {
		return nil, fmt.Errorf("%q names no machine", text)
	}
	var all []string
	for port := first; port <= last; port++ {
		all = append(all, net.JoinHostPort(host, strconv.Itoa(port)))
	}
	return all, nil
}

// checkAdvertise accepts host:port and host.
func checkAdvertise(value any) error {
	text := value.(string)
	if text == "" {
		return nil
	}
	_, err := splitAdvertise(text)
	return err
}

// reached is how the others reach this process: at an address, or at a host and the port that
// it listens on. Both are empty if it is the address that it listens on.
type reached struct{ addr, host string }

func splitAdvertise(text string) (reached, error) {
	if host := strings.TrimSuffix(strings.TrimPrefix(text, "["), "]"); host != "" && !strings.ContainsAny(text, " /@") {
		if _, err := netip.ParseAddr(host); err == nil && !isUnspecified(host) || !strings.ContainsAny(host, ":") {
			return reached{host: host}, nil
		}
	}
	all, err := ports(text, fixedPort)
	if err != nil || len(all) != 1 {
		return reached{}, fmt.Errorf("%q is not one address such as 10.1.0.5:7801, at which others can reach this process", text)
	}
	return reached{addr: all[0]}, nil
}

func isUnspecified(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsUnspecified()
}

// isLoopback reports whether only this machine can be meant.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// checkAddresses says how the others reach this process, or what is wrong with the addresses. What
// is no address at all has been reported.
func (o Options) checkAddresses() (reached, []error) {
	var errs []error
	if o.Security.Plaintext {
		errs = slices.Concat(checkPlaintext("listen", o.Listen), checkPlaintext("advertise", []string{o.Advertise}), checkPlaintext("join", o.Join))
	}
	if o.Mode == Client {
		return reached{}, errs // it does not listen
	}
	on := o.machine
	if on == nil {
		var err error
		if on, err = thisMachine(); err != nil {
			return reached{}, append(errs, err)
		}
	}
	listen, err := addresses(o.Listen, anyPort)
	if err != nil {
		return reached{}, errs
	}
	if o.network.Listen == nil && !slices.ContainsFunc(listen, on.has) {
		errs = append(errs, setting.Problemf("listen", "this machine has none of these addresses; it has %s", strings.Join(on.all, ", ")))
	}
	if o.Advertise != "" {
		at, err := splitAdvertise(o.Advertise)
		if err != nil {
			return reached{}, errs
		}
		return at, errs
	}
	for _, addr := range listen {
		host, _, _ := net.SplitHostPort(addr) // addresses made it
		if host != "" && !isUnspecified(host) {
			continue
		}
		one, err := on.address(host)
		if err != nil {
			return reached{}, append(errs, err)
		}
		return reached{host: one}, errs
	}
	return reached{}, errs
}

func checkPlaintext(path string, list []string) (errs []error) {
	for _, text := range list {
		host, _, err := net.SplitHostPort(text)
		if err != nil {
			host = strings.Trim(text, "[]")
		}
		_, notIP := netip.ParseAddr(host)
		if named := host != "" && notIP != nil && path != "advertise"; text != "" && !named && !isLoopback(host) { // a name may turn out to be a loopback address
			errs = append(errs, setting.Problemf(path, "plaintext is for loopback addresses only, which %s is not; give a secret or tls", text))
		}
	}
	return errs
}

// A machine has addresses.
type machine struct {
	all     []string // of all interfaces
	private []string // those of them at which other machines of its network reach it, the best first
}

// thisMachine looks at the interfaces that are up.
func thisMachine() (*machine, error) {
	found, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("the addresses of this machine cannot be listed: %w", err)
	}
	m := &machine{}
	for _, a := range found {
		if n, ok := a.(*net.IPNet); ok {
			m.all = append(m.all, n.IP.String())
		}
	}
	// memberlist takes the first of them.
	private, err := sockaddr.GetPrivateInterfaces()
	if err != nil {
		return nil, fmt.Errorf("the private addresses of this machine cannot be listed: %w", err)
	}
	for _, one := range private {
		if ip := sockaddr.ToIPAddr(one.SockAddr); ip != nil {
			m.private = append(m.private, (*ip).NetIP().String())
		}
	}
	return m, nil
}

// has reports whether an address can be listened on, as far as that is known: names are not
// looked up.
func (m *machine) has(addr string) bool {
	host, _, err := net.SplitHostPort(addr)
	ip, notIP := netip.ParseAddr(host)
	return err == nil && (notIP != nil || ip.IsUnspecified() || ip.IsLoopback() || slices.Contains(m.all, ip.WithZone("").Unmap().String()))
}

// address returns the one address at which others reach a process that listens on all addresses:
// host is 0.0.0.0, [::] or empty. It is the private one, or the only one at all, of IP version 4 if
// there is one.
func (m *machine) address(host string) (string, error) {
	ip, err := netip.ParseAddr(host)
	six := err != nil || ip.Is6()
	lists := [][]string{only(m.private, false), only(m.all, false)}
	if six {
		lists = append(lists, only(m.private, true), only(m.all, true))
	}
	var candidates []string
	for _, list := range lists {
		if candidates = list; len(list) > 0 {
			break
		}
	}
	switch len(candidates) {
	case 0:
		return "", setting.Problemf("advertise", "is required: this process listens on all addresses, and the machine has none at which others could reach it, only %s", strings.Join(m.all, ", "))
	case 1:
		return candidates[0], nil
	}
	return "", setting.Problemf("advertise", "is required: this process listens on all addresses, and others could reach it at %s", strings.Join(candidates, ", "))
}

// only returns the addresses of IP version 6, or 4, that other machines can reach.
func only(addresses []string, six bool) (list []string) {
	for _, text := range addresses {
		if ip, err := netip.ParseAddr(text); err == nil && ip.IsGlobalUnicast() && ip.Is6() == six {
			list = append(list, text)
		}
	}
	return list
}
