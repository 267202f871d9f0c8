package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

// peerConfig is of a peer, and of a caller that asks peers.
type peerConfig struct {
	Join      []string
	Replicas  int
	Plaintext bool
	Client    bool // holds no records
}

func (c peerConfig) options() peer.Options {
	o := peer.Options{Join: c.Join, Replicas: c.Replicas, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)),
		LeaveTimeout: 30 * time.Second}
	if c.Client {
		o.Mode = peer.Client
	} else {
		o.Mode = peer.Server
	}
	if o.Security.Plaintext = c.Plaintext; !c.Plaintext {
		o.Security.Secret = "known to all processes of the benchmark"
	}
	return o
}

// connect opens a grid as a program does, and the cache that is measured.
func (c peerConfig) connect(ctx context.Context, opts jcache.Options[string, []byte]) (*gridCache, error) {
	p, err := peer.Connect(ctx, c.options())
	if err != nil {
		return nil, err
	}
	manager, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "peer"})
	if err != nil {
		return nil, err
	}
	cache, err := jcache.CreateCache(ctx, manager, "bench", opts)
	return &gridCache{p, manager, cache}, err
}

// A gridCache is what a program has of a grid.
type gridCache struct {
	provider *peer.Provider
	manager  *jcache.CacheManager
	cache    *jcache.Cache[string, []byte]
}

func (c *gridCache) close() { _ = c.manager.Close(context.Background()) } // what it cannot hand over is lost

// idleTime is how long a session lives that nobody uses.
const idleTime = 30 * time.Minute

// aPeer is a process that holds a part of the grid's records.
type aPeer struct {
	*gridCache
	profile profile
}

func servePeer(ctx context.Context, config []byte) (service, error) {
	var c peerConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	g, err := c.connect(ctx, jcache.Options[string, []byte]{ExpiryPolicy: jcache.Touched[string, []byte](idleTime)})
	if err != nil {
		return nil, err
	}
	return &aPeer{gridCache: g}, nil
}

func (p *aPeer) addr() string { return p.provider.Addr() }

// peerState is what a peer says of itself.
type peerState struct {
	Members, Entries, HandOffs int
	Safe                       bool
	Accounted                  int64 // bytes, as the peer itself counts them
	Resident                   int64 // bytes, as the system counts them
}

func (p *aPeer) handle(ctx context.Context, r request) (any, error) {
	switch r.Do {
	case "fill":
		return nil, p.fill(ctx, r.Count, r.Size)
	case "state":
		return p.state(residentMemory)
	case "settle":
		return p.state(settledMemory)
	case "profile":
		return nil, p.profile.toggle(r.Path)
	}
	return nil, errRequest
}

// fill puts a number of sessions of a size, with deadlines, as a server does that has the
// grid in it.
func (p *aPeer) fill(ctx context.Context, count, size int) error {
	var next atomic.Int64
	return together(mostCallers, func(int) error {
		for i := next.Add(1) - 1; int(i) < count; i = next.Add(1) - 1 {
			if err := p.cache.Put(ctx, sessionKey(int(i)), make([]byte, size)); err != nil {
				return err
			}
		}
		return nil
	})
}

func (p *aPeer) state(memory func() (int64, error)) (peerState, error) {
	bytes, err := memory()
	s := p.provider.Stats()
	return peerState{Members: s.Members, Entries: s.Entries, HandOffs: s.HandOffs, Safe: p.provider.Safe(), Accounted: s.Bytes, Resident: bytes}, err
}

// startPeers starts a grid of n processes, and returns when every record has its copies.
func startPeers(ctx context.Context, n, replicas int, plaintext bool) ([]*child, error) {
	config := peerConfig{Replicas: replicas, Plaintext: plaintext}
	var peers []*child
	for range n {
		c, err := launch("peer", config)
		if err != nil {
			endAll(peers)
			return nil, err
		}
		peers = append(peers, c)
		config.Join = append(config.Join, c.addr)
	}
	if err := awaitPeers(ctx, peers, n); err != nil {
		endAll(peers)
		return nil, err
	}
	return peers, nil
}

func endAll(children []*child) {
	for _, c := range children {
		c.end()
	}
}

// awaitPeers waits until the peers know each other and nothing is being copied.
func awaitPeers(ctx context.Context, peers []*child, members int) error {
	return poll(ctx, func() (bool, error) {
		for _, p := range peers {
			var s peerState
			if err := p.ask(request{Do: "state"}, &s); err != nil {
				return false, err
			}
			if s.Members != members || !s.Safe || s.HandOffs > 0 {
				return false, nil
			}
		}
		return true, nil
	})
}

// poll waits until something holds.
func poll(ctx context.Context, holds func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, startPatience)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := holds(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("it takes too long: %w", ctx.Err())
		}
	}
}

// peerStore asks a grid from a process that holds no records.
type peerStore struct {
	anywhere
	*gridCache
}

func openPeer(ctx context.Context, config []byte) (store, error) {
	var c peerConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	c.Client = true
	g, err := c.connect(ctx, jcache.Options[string, []byte]{})
	if err != nil {
		return nil, err
	}
	return &peerStore{gridCache: g}, nil
}

func (s *peerStore) get(ctx context.Context, _ int, key string) ([]byte, error) {
	value, _, err := s.cache.Get(ctx, key)
	return value, err
}

func (s *peerStore) put(ctx context.Context, _ int, key string, value []byte) error {
	return s.cache.Put(ctx, key, value)
}
