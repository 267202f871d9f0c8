package main

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// A contender is a store whose servers are processes, and who asks it, another one.
type contender struct {
	name  string
	start func(ctx context.Context) (*fleet, error)
}

// A fleet is a contender at work.
type fleet struct {
	caller *child
	peers  []*child // of a grid of peers
	pids   []int    // of all processes
	stop   func()
}

// The contenders' names, which the promises refer to.
const (
	nameEcho      = "raw TCP ping-pong"
	namePeer      = "peer, 1 backup"
	namePeerTLS   = "peer, 1 backup, TLS"
	namePeerAlone = "peer, no backup"
	nameRedis     = "Redis, no backup, rueidis"
	nameMemcached = "memcached, no backup, gomemcache"
	nameHazelcast = "Hazelcast, 1 backup"
	nameOlric     = "Olric, 1 backup, a node asks"
	nameOlricFar  = "Olric, 1 backup, a client asks"
)

var contenders = []contender{
	{nameEcho, startEchoFleet},
	{namePeer, func(ctx context.Context) (*fleet, error) { return startPeerFleet(ctx, 2, true) }},
	{namePeerTLS, func(ctx context.Context) (*fleet, error) { return startPeerFleet(ctx, 2, false) }},
	{namePeerAlone, func(ctx context.Context) (*fleet, error) { return startPeerFleet(ctx, 1, true) }},
	{nameRedis, startRedisFleet},
	{nameMemcached, startMemcachedFleet},
	{nameHazelcast, startHazelcastFleet},
	{nameOlric, startOlricFleet},
	{nameOlricFar, startOlricFarFleet},
}

// chosen returns the contenders that the options name.
func (o options) chosen() []contender {
	if len(o.against) == 0 {
		return contenders
	}
	return slices.DeleteFunc(slices.Clone(contenders), func(c contender) bool {
		return !slices.ContainsFunc(o.against, func(part string) bool {
			return strings.Contains(strings.ToLower(c.name), strings.ToLower(part))
		})
	})
}

// fleetOf adds the caller to servers, and ends the servers if that fails.
func fleetOf(store string, config any, stop func(), pids ...int) (*fleet, error) {
	c, err := launchCaller(store, config)
	if err != nil {
		stop()
		return nil, err
	}
	return &fleet{caller: c, pids: append(pids, c.pid()), stop: func() {
		c.end()
		stop()
	}}, nil
}

func startEchoFleet(context.Context) (*fleet, error) {
	server, err := launch("echo", nil)
	if err != nil {
		return nil, err
	}
	return fleetOf("echo", rivalConfig{[]string{server.addr}}, server.end, server.pid())
}

// startPeerFleet starts processes that hold the records, each all of them, and one that
// asks.
func startPeerFleet(ctx context.Context, members int, plaintext bool) (*fleet, error) {
	replicas := members - 1
	peers, err := startPeers(ctx, members, replicas, plaintext)
	if err != nil {
		return nil, err
	}
	config := peerConfig{Join: addrs(peers), Replicas: replicas, Plaintext: plaintext}
	f, err := fleetOf("peer", config, func() { endAll(peers) }, pids(peers)...)
	if err == nil {
		f.peers = peers
	}
	return f, err
}

func addrs(children []*child) []string {
	var list []string
	for _, c := range children {
		list = append(list, c.addr)
	}
	return list
}

func pids(children []*child) []int {
	var list []int
	for _, c := range children {
		list = append(list, c.pid())
	}
	return list
}

func startRedisFleet(ctx context.Context) (*fleet, error) {
	server, err := servers.Redis(ctx)
	if err != nil {
		return nil, err
	}
	return fleetOf("redis", rivalConfig{[]string{server.Addr}}, server.Kill, server.PID())
}

func startMemcachedFleet(ctx context.Context) (*fleet, error) {
	server, err := servers.Memcached(ctx)
	if err != nil {
		return nil, err
	}
	return fleetOf("memcached", rivalConfig{[]string{server.Addr}}, server.Kill, server.PID())
}

// startHazelcastFleet starts two members. They are not those of the tests, which start fast:
// they compile all the way, and have room.
func startHazelcastFleet(ctx context.Context) (*fleet, error) {
	dir, err := os.MkdirTemp("", "grid")
	if err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "hazelcast-member.xml")
	if err := os.WriteFile(file, []byte(hazelcast.MemberConfig), 0o600); err != nil {
		return nil, err
	}
	cluster, err := servers.Hazelcast(ctx, 2, file, "-XX:TieredStopAtLevel=4", "-XX:-UseSerialGC", "-XX:+UseG1GC", "-Xms512m", "-Xmx1g")
	if err != nil {
		return nil, err
	}
	return fleetOf("hazelcast", rivalConfig{cluster.Addrs}, func() {
		cluster.Kill()
		_ = os.RemoveAll(dir) // a leftover in the temporary directory
	}, cluster.Member(0).PID(), cluster.Member(1).PID())
}

// startOlricFleet starts one node, and the caller as the other.
func startOlricFleet(context.Context) (*fleet, error) {
	node, err := launch("olric", olricConfig{Members: 2})
	if err != nil {
		return nil, err
	}
	return fleetOf("olric embedded", olricConfig{Peers: []string{node.addr}, Members: 2}, node.end, node.pid())
}

// startOlricFarFleet starts two nodes, and the caller as a client.
func startOlricFarFleet(context.Context) (*fleet, error) {
	var nodes []*child
	c := olricConfig{Members: 2}
	var data []string
	for range 2 {
		node, err := launch("olric", c)
		if err != nil {
			endAll(nodes)
			return nil, err
		}
		nodes = append(nodes, node)
		c.Peers = append(c.Peers, node.addr)
		var addr string
		if err := node.ask(request{Do: "address"}, &addr); err != nil {
			endAll(nodes)
			return nil, err
		}
		data = append(data, addr)
	}
	for _, node := range nodes {
		if err := node.ask(request{Do: "await", Count: 2}, nil); err != nil {
			endAll(nodes)
			return nil, err
		}
	}
	return fleetOf("olric client", rivalConfig{data}, func() { endAll(nodes) }, pids(nodes)...)
}
