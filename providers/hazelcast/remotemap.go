package hazelcast

import (
	"context"
	"sync/atomic"

	hz "github.com/hazelcast/hazelcast-go-client"
)

// A remoteMap is a map of the cluster, whichever client the provider has at present.
type remoteMap struct {
	provider *Provider
	name     string
	last     atomic.Pointer[openMap]
}

type openMap struct {
	client *hz.Client
	*hz.Map
}

// open returns the map. A client creates it in the cluster when it asks for the first
// time.
func (m *remoteMap) open(ctx context.Context) (*hz.Map, error) {
	client := m.provider.client.Load()
	if last := m.last.Load(); last != nil && last.client == client {
		return last.Map, nil
	}
	opened := &openMap{client: client}
	err := m.provider.read(ctx, func(ctx context.Context) (err error) {
		opened.Map, err = client.GetMap(ctx, m.name)
		return err
	})
	if err != nil {
		return nil, err
	}
	m.last.Store(opened)
	return opened.Map, nil
}

// read, write and writeChecked are those of the provider, with the map.
func (m *remoteMap) read(ctx context.Context, call func(context.Context, *hz.Map) error) error {
	return m.call(ctx, m.provider.read, call)
}

func (m *remoteMap) write(ctx context.Context, call func(context.Context, *hz.Map) error) error {
	return m.call(ctx, m.provider.write, call)
}

func (m *remoteMap) writeChecked(ctx context.Context, call func(context.Context, *hz.Map) error) error {
	return m.call(ctx, m.provider.writeChecked, call)
}

func (m *remoteMap) call(ctx context.Context, how func(context.Context, func(context.Context) error) error, call func(context.Context, *hz.Map) error) error {
	opened, err := m.open(ctx)
	if err != nil {
		return err
	}
	return how(ctx, func(ctx context.Context) error { return call(ctx, opened) })
}
