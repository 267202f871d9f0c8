package main

import (
	"context"
	"encoding/json"
	"io"
	"log"
	"net"
	"strconv"

	"github.com/olric-data/olric"
	olricconfig "github.com/olric-data/olric/config"
	"github.com/olric-data/olric/hasher"

	"github.com/keepsake-cache/keepsake/internal/servers"
)

// olricConfig is of a node: the addresses at which the others gossip, and how many nodes
// there are to be. Every record is on two.
type olricConfig struct {
	Peers   []string
	Members int
}

// An olricNode is a member of an Olric cluster. Its addr is where it gossips.
type olricNode struct {
	db     *olric.Olric
	client *olric.EmbeddedClient
	gossip string
	data   string
}

func startOlric(ctx context.Context, c olricConfig) (*olricNode, error) {
	conf := olricconfig.New("local")
	conf.ReplicaCount, conf.Peers = min(2, c.Members), c.Peers
	conf.Logger = log.New(io.Discard, "", 0)
	conf.MemberlistConfig.BindAddr = "127.0.0.1"
	conf.BindAddr = "127.0.0.1"
	n := &olricNode{}
	for _, at := range []struct {
		addr *string
		port *int
	}{{&n.gossip, &conf.MemberlistConfig.BindPort}, {&n.data, &conf.BindPort}} {
		addr, err := servers.FreeAddr()
		if err != nil {
			return nil, err
		}
		_, port, _ := net.SplitHostPort(addr)
		if *at.port, err = strconv.Atoi(port); err != nil {
			return nil, err
		}
		*at.addr = addr
	}
	conf.MemberlistConfig.AdvertisePort = conf.MemberlistConfig.BindPort
	started := make(chan struct{})
	conf.Started = func() { close(started) }
	db, err := olric.New(conf)
	if err != nil {
		return nil, err
	}
	failed := make(chan error, 1)
	go func() { failed <- db.Start() }()
	select {
	case <-started:
	case err := <-failed:
		return nil, err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	n.db, n.client = db, db.NewEmbeddedClient()
	return n, nil
}

// await waits until every partition has an owner and a replica.
func (n *olricNode) await(ctx context.Context, members int) error {
	return poll(ctx, func() (bool, error) {
		all, err := n.client.Members(ctx)
		if err != nil || len(all) != members {
			return false, err
		}
		table, err := n.client.RoutingTable(ctx)
		if err != nil || len(table) == 0 {
			return false, err
		}
		owners := make(map[string]bool)
		for _, route := range table {
			if len(route.PrimaryOwners) == 0 || len(route.ReplicaOwners) == 0 {
				return false, nil
			}
			owners[route.PrimaryOwners[len(route.PrimaryOwners)-1]] = true
		}
		return len(owners) == members, nil
	})
}

func serveOlric(ctx context.Context, config []byte) (service, error) {
	var c olricConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	return startOlric(ctx, c)
}

func (n *olricNode) addr() string { return n.gossip }

func (n *olricNode) close() { _ = n.db.Shutdown(context.Background()) } // nobody needs it any more

func (n *olricNode) handle(ctx context.Context, r request) (any, error) {
	switch r.Do {
	case "await":
		return nil, n.await(ctx, r.Count)
	case "address":
		return n.data, nil
	}
	return nil, errRequest
}

// olricStore asks an Olric cluster: as one of its nodes, for records that another has, or
// as a client of all.
type olricStore struct {
	dmap  olric.DMap
	node  *olricNode // nil of a client
	table olric.RoutingTable
}

const olricMap = "bench"

// openOlricMember is a node beside others.
func openOlricMember(ctx context.Context, config []byte) (store, error) {
	var c olricConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	n, err := startOlric(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := n.await(ctx, c.Members); err != nil {
		return nil, err
	}
	table, err := n.client.RoutingTable(ctx)
	if err != nil {
		return nil, err
	}
	dmap, err := n.client.NewDMap(olricMap)
	return &olricStore{dmap: dmap, node: n, table: table}, err
}

// openOlricClient is a client of two nodes.
func openOlricClient(_ context.Context, config []byte) (store, error) {
	nodes, err := serversOf(config)
	if err != nil {
		return nil, err
	}
	conf := olricconfig.NewClient()
	conf.PoolSize = mostCallers
	if err := conf.Sanitize(); err != nil {
		return nil, err
	}
	client, err := olric.NewClusterClient(nodes, olric.WithConfig(conf), olric.WithLogger(log.New(io.Discard, "", 0)))
	if err != nil {
		return nil, err
	}
	dmap, err := client.NewDMap(olricMap)
	return &olricStore{dmap: dmap}, err
}

func (s *olricStore) remote(key string) bool {
	if s.node == nil {
		return true
	}
	partition := hasher.NewDefaultHasher().Sum64([]byte(olricMap+key)) % uint64(len(s.table))
	owners := s.table[partition].PrimaryOwners
	return owners[len(owners)-1] != s.node.data
}

func (s *olricStore) get(ctx context.Context, _ int, key string) ([]byte, error) {
	r, err := s.dmap.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	return r.Byte()
}

func (s *olricStore) put(ctx context.Context, _ int, key string, value []byte) error {
	return s.dmap.Put(ctx, key, value)
}

func (s *olricStore) close() {
	if s.node != nil {
		s.node.close()
	}
}
