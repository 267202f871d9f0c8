package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	"github.com/hazelcast/hazelcast-go-client/types"
)

// probePrefix begins the keys of probes. Scans and watchers do not show them.
const probePrefix = "\x00keepsake.probe."

func isProbe(key string) bool { return strings.HasPrefix(key, probePrefix) }

// probe finds out how the members treat the entries of a map. It returns the map's
// time-to-live-seconds; zero: entries are eternal. Maps that would lose records are
// refused.
func (m *remoteMap) probe(ctx context.Context) (defaultTTL time.Duration, err error) {
	key := probePrefix + types.NewUUID().String()
	before, after := []byte("before"), []byte("after")
	if err := m.write(ctx, func(ctx context.Context, m *hz.Map) error { return m.Set(ctx, key, before) }); err != nil {
		return 0, err
	}
	defer func() {
		removed := m.write(ctx, func(ctx context.Context, m *hz.Map) error { return m.Delete(ctx, key) })
		if err == nil {
			err = removed
		}
	}()
	var view *types.SimpleEntryView
	if err := m.read(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		view, err = m.GetEntryView(ctx, key)
		return err
	}); err != nil {
		return 0, err
	}
	if view == nil {
		return 0, fmt.Errorf("%w: the map %s drops an entry as soon as it is written; look for its eviction and time-to-live-seconds", errors.ErrUnsupported, m.name)
	}
	if view.MaxIdle > 0 && view.MaxIdle != math.MaxInt64 {
		return 0, fmt.Errorf("%w: the map %s has max-idle-seconds %d, with which entries that are in use die; remove that setting from the members' configuration",
			errors.ErrUnsupported, m.name, view.MaxIdle/1000)
	}
	var same bool
	if err := m.write(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		same, err = m.ReplaceIfSame(ctx, key, before, after)
		return err
	}); err != nil {
		return 0, err
	}
	if !same {
		return 0, fmt.Errorf("%w: the map %s does not find a value equal to itself, so nothing can be replaced in it; "+
			"set <in-memory-format>BINARY</in-memory-format> for it in the members' configuration", errors.ErrUnsupported, m.name)
	}
	if view.TTL <= 0 || view.TTL == math.MaxInt64 {
		return 0, nil
	}
	return time.Duration(view.TTL) * time.Millisecond, nil
}

// adviseSpeed tells the operator, once, where a map's configuration costs round trips. life is
// the longest that entries live, or one that the map's default did not suffice for.
func (c *cache) adviseSpeed(life time.Duration) {
	byDefault := c.physical.byDefault
	if life <= 0 || life <= byDefault-shortestTTL || c.advised.Swap(true) {
		return
	}
	life = life.Round(time.Second)
	if byDefault == 0 {
		c.provider.log.Warn("hazelcast: the map has no time-to-live-seconds, so a conditional write takes a second round trip; "+
			"set one longer than the entries' lives", "map", c.name, "entriesLive", life)
		return
	}
	c.provider.log.Warn("hazelcast: entries can live longer than the map's time-to-live-seconds, so a conditional write of such an entry takes a second round trip; "+
		"raise it", "map", c.name, "timeToLive", byDefault, "entriesLive", life)
}
