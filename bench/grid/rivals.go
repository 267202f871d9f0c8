package main

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/hazelcast/hazelcast-go-client"
	"github.com/redis/rueidis"
)

// anywhere is for stores whose records are never in the process that asks.
type anywhere struct{}

func (anywhere) remote(string) bool { return true }

// rivalConfig is of a caller that asks servers.
type rivalConfig struct{ Servers []string }

func serversOf(config []byte) ([]string, error) {
	var c rivalConfig
	err := json.Unmarshal(config, &c)
	if err == nil && len(c.Servers) == 0 {
		err = fmt.Errorf("there are no servers")
	}
	return c.Servers, err
}

// redisStore asks a Redis through rueidis, as it comes: callers share its connections, and
// their commands travel together.
type redisStore struct {
	anywhere
	client rueidis.Client
}

func openRedis(_ context.Context, config []byte) (store, error) {
	servers, err := serversOf(config)
	if err != nil {
		return nil, err
	}
	client, err := rueidis.NewClient(rueidis.ClientOption{InitAddress: servers, DisableCache: true})
	return &redisStore{client: client}, err
}

func (s *redisStore) get(ctx context.Context, _ int, key string) ([]byte, error) {
	return s.client.Do(ctx, s.client.B().Get().Key(key).Build()).AsBytes()
}

func (s *redisStore) put(ctx context.Context, _ int, key string, value []byte) error {
	return s.client.Do(ctx, s.client.B().Set().Key(key).Value(rueidis.BinaryString(value)).Build()).Error()
}

func (s *redisStore) close() { s.client.Close() }

// memcachedStore asks a memcached through gomemcache, with an idle connection for each
// caller: its default of two has the others dial.
type memcachedStore struct {
	anywhere
	client *memcache.Client
}

func openMemcached(_ context.Context, config []byte) (store, error) {
	servers, err := serversOf(config)
	if err != nil {
		return nil, err
	}
	client := memcache.New(servers...)
	client.MaxIdleConns = mostCallers
	return &memcachedStore{client: client}, nil
}

func (s *memcachedStore) get(_ context.Context, _ int, key string) ([]byte, error) {
	item, err := s.client.Get(key)
	if err != nil {
		return nil, err
	}
	return item.Value, nil
}

func (s *memcachedStore) put(_ context.Context, _ int, key string, value []byte) error {
	return s.client.Set(&memcache.Item{Key: key, Value: value})
}

func (s *memcachedStore) close() { _ = s.client.Close() } // its server ends next

// hazelcastStore asks the members of a Hazelcast through its Go client.
type hazelcastStore struct {
	anywhere
	client  *hazelcast.Client
	entries *hazelcast.Map
}

func openHazelcast(ctx context.Context, config []byte) (store, error) {
	servers, err := serversOf(config)
	if err != nil {
		return nil, err
	}
	var c hazelcast.Config
	c.Cluster.Network.SetAddresses(servers...)
	c.Logger.Level = "off"
	client, err := hazelcast.StartNewClientWithConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	entries, err := client.GetMap(ctx, "bench")
	return &hazelcastStore{client: client, entries: entries}, err
}

func (s *hazelcastStore) get(ctx context.Context, _ int, key string) ([]byte, error) {
	v, err := s.entries.Get(ctx, key)
	value, _ := v.([]byte)
	return value, err
}

func (s *hazelcastStore) put(ctx context.Context, _ int, key string, value []byte) error {
	return s.entries.Set(ctx, key, value)
}

func (s *hazelcastStore) close() { _ = s.client.Shutdown(context.Background()) } // its servers end next
