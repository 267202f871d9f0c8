package peer

import (
	"context"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// Config returns the present configuration of the grid.
func (p *Provider) Config() *topology.Config { return p.node.Config() }

// ID returns what names the process as a member.
func (p *Provider) ID() topology.ID { return p.node.ID() }

// Alone returns a provider whose caches say that no other process reaches their records.
func Alone(p *Provider) driver.Provider { return alone{p} }

type alone struct{ *Provider }

func (a alone) OpenCache(ctx context.Context, name string, opts driver.CacheOptions) (driver.Cache, error) {
	c, err := a.Provider.OpenCache(ctx, name, opts)
	if err != nil {
		return nil, err
	}
	return unshared{c.(*cache)}, nil
}

type unshared struct{ *cache }

func (u unshared) Info() driver.Info {
	info := u.cache.Info()
	info.Shared = false
	return info
}
