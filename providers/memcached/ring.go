package memcached

import (
	"cmp"
	"crypto/md5"
	"encoding/binary"
	"fmt"
	"net"
	"slices"
)

const (
	// hashesPerServer, of four points each: the 160 points that libmemcached
	// gives a server of average weight.
	hashesPerServer = 40
	pointsPerHash   = md5.Size / 4
)

// A ring maps keys to servers as ketama does, in the variant of libmemcached with
// weights that are all equal. spymemcached's KetamaNodeLocator with the
// LIBMEMCACHED format agrees with it, so does PHP's Memcached with
// OPT_LIBKETAMA_COMPATIBLE.
//
// A server's points are the four little-endian words of md5("host:port-i") for
// i = 0 … 39; ":port" is left out if it is 11211. A key belongs to the first point
// at or after the first word of its own md5. When a server is added to n others,
// one key in n+1 moves, all of them to it.
type ring struct {
	addresses []address
	points    []point // sorted
}

type point struct {
	at     uint32
	server int // index in addresses
}

// newRing takes addresses that are sorted and distinct.
func newRing(addresses []address) *ring {
	r := &ring{addresses: addresses, points: make([]point, 0, len(addresses)*hashesPerServer*pointsPerHash)}
	for server, a := range addresses {
		name := ringName(a)
		for i := range hashesPerServer {
			sum := md5.Sum(fmt.Appendf(nil, "%s-%d", name, i))
			for word := range pointsPerHash {
				r.points = append(r.points, point{at: binary.LittleEndian.Uint32(sum[4*word:]), server: server})
			}
		}
	}
	slices.SortFunc(r.points, func(a, b point) int {
		return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.server, b.server))
	})
	return r
}

// ringName is how libmemcached writes an address: without the brackets of an IPv6
// address and without the default port.
func ringName(a address) string {
	host, port, _ := net.SplitHostPort(string(a)) // parseAddress has checked it
	if port == defaultPort {
		return host
	}
	return host + ":" + port
}

// pick returns the index of the server that a key belongs to.
func (r *ring) pick(key string) int {
	if len(r.addresses) == 1 {
		return 0
	}
	sum := md5.Sum([]byte(key))
	i, _ := slices.BinarySearchFunc(r.points, binary.LittleEndian.Uint32(sum[:]), func(p point, at uint32) int {
		return cmp.Compare(p.at, at)
	})
	return r.points[i%len(r.points)].server
}

// share returns the part of all keys that belong to a server.
func (r *ring) share(server int) float64 {
	if len(r.addresses) == 1 {
		return 1
	}
	var arcs uint64
	for i, p := range r.points {
		before := r.points[(i+len(r.points)-1)%len(r.points)]
		if p.server == server {
			arcs += uint64(p.at - before.at) // modulo 2^32, which is the circle
		}
	}
	return float64(arcs) / (1 << 32)
}

// PickServer implements memcache.ServerSelector.
func (r *ring) PickServer(key string) (net.Addr, error) { return r.addresses[r.pick(key)], nil }

// Each implements memcache.ServerSelector.
func (r *ring) Each(do func(net.Addr) error) error {
	for _, a := range r.addresses {
		if err := do(a); err != nil {
			return err
		}
	}
	return nil
}
