package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
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

// aPeer is a process that holds a part of the grid's records.
type aPeer struct {
	provider *peer.Provider
	profile  profile
}

func servePeer(ctx context.Context, config []byte) (service, error) {
	var c peerConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	p, err := peer.Connect(ctx, c.options())
	if err != nil {
		return nil, err
	}
	return &aPeer{provider: p}, nil
}

func (p *aPeer) addr() string { return p.provider.Addr() }

func (p *aPeer) close() { _ = p.provider.Close(context.Background()) } // what it cannot hand over is lost

// peerState is what a peer says of itself.
type peerState struct {
	Members, Entries, HandOffs int
	Safe                       bool
	Accounted                  int64 // bytes, as the peer itself counts them
	Resident                   int64 // bytes, as the system counts them
}

func (p *aPeer) handle(_ context.Context, r request) (any, error) {
	switch r.Do {
	case "state":
		return p.state(residentMemory)
	case "settle":
		return p.state(settledMemory)
	case "profile":
		return nil, p.profile.toggle(r.Path)
	}
	return nil, errRequest
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
	provider *peer.Provider
	cache    driver.Cache
}

func openPeer(ctx context.Context, config []byte) (store, error) {
	var c peerConfig
	if err := json.Unmarshal(config, &c); err != nil {
		return nil, err
	}
	c.Client = true
	p, err := peer.Connect(ctx, c.options())
	if err != nil {
		return nil, err
	}
	cache, err := p.OpenCache(ctx, "bench", driver.CacheOptions{})
	return &peerStore{provider: p, cache: cache}, err
}

func (s *peerStore) get(ctx context.Context, _ int, key string) ([]byte, error) {
	item, _, err := s.cache.Get(ctx, key)
	return item.Record, err
}

func (s *peerStore) put(ctx context.Context, _ int, key string, value []byte) error {
	return s.cache.Put(ctx, key, value, time.Time{})
}

func (s *peerStore) close() { _ = s.provider.Close(context.Background()) } // it holds nothing
