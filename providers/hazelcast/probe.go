package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	"github.com/hazelcast/hazelcast-go-client/types"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// probePrefix begins the keys of probes. Scans and watchers do not show them.
const probePrefix = "\x00keepsake.probe."

func isProbe(key string) bool { return strings.HasPrefix(key, probePrefix) }

// A treatment is how members treat the entries of a map.
type treatment struct {
	byDefault time.Duration // the least time-to-live-seconds of all members; 0: entries are eternal
	uneven    bool          // members have different ones
	timeless  bool          // per-entry-stats-enabled is false somewhere
}

func (x treatment) and(y treatment) treatment {
	both := treatment{byDefault: min(x.byDefault, y.byDefault), uneven: x.uneven || y.uneven || x.byDefault != y.byDefault, timeless: x.timeless || y.timeless}
	if both.byDefault == 0 {
		both.byDefault = max(x.byDefault, y.byDefault)
	}
	return both
}

// probe finds out how the members treat the entries of a map. Maps that would lose records
// are refused.
func (m *remoteMap) probe(ctx context.Context) (treatment, error) {
	turn := m.provider.probing[maphash.String(probingSeed, m.name)%uint64(len(m.provider.probing))]
	select {
	case turn <- struct{}{}: // who probes the same map uses the same keys
		defer func() { <-turn }()
	case <-ctx.Done():
		return treatment{}, notSent(ctx.Err())
	}
	keys, err := m.provider.keys(ctx)
	if err != nil {
		return treatment{}, err
	}
	seen, errs := make([]treatment, len(keys)), make([]error, len(keys))
	parallel(len(keys), func(i int) { seen[i], errs[i] = m.probeEntry(ctx, keys[i]) })
	all := seen[0]
	for i := range keys {
		if errs[i] != nil {
			return treatment{}, errs[i]
		}
		all = all.and(seen[i])
	}
	return all, nil
}

var probingSeed = maphash.MakeSeed()

// probeEntry writes an entry, looks at what its member made of it, and removes it again.
func (m *remoteMap) probeEntry(ctx context.Context, key string) (found treatment, err error) {
	value := []byte("probe")
	if err := m.write(ctx, func(ctx context.Context, m *hz.Map) error { return m.Set(ctx, key, value) }); err != nil {
		return found, err
	}
	same := false
	defer func() {
		if same {
			return
		}
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
		return found, err
	}
	if view == nil {
		return found, fmt.Errorf("%w: the map %s drops an entry as soon as it is written; look for its eviction and time-to-live-seconds", errors.ErrUnsupported, m.name)
	}
	if view.MaxIdle > 0 && view.MaxIdle != math.MaxInt64 {
		return found, fmt.Errorf("%w: the map %s has max-idle-seconds %d, with which entries that are in use die; remove that setting from the configuration of all members",
			errors.ErrUnsupported, m.name, view.MaxIdle/1000)
	}
	if err := m.write(ctx, func(ctx context.Context, m *hz.Map) (err error) {
		same, err = m.RemoveIfSame(ctx, key, value)
		return err
	}); err != nil {
		return found, err
	}
	if !same {
		return found, fmt.Errorf("%w: the map %s does not find a value equal to itself, so nothing can be replaced in it; "+
			"set <in-memory-format>BINARY</in-memory-format> for it in the configuration of all members", errors.ErrUnsupported, m.name)
	}
	found.timeless = view.CreationTime < 0
	if view.TTL > 0 && view.TTL != math.MaxInt64 {
		found.byDefault = time.Duration(view.TTL) * time.Millisecond
	}
	return found, nil
}

// look probes the map and keeps what was found.
func (c *cache) look(ctx context.Context) error {
	found, err := c.probe(ctx)
	if err != nil {
		return notProbed(ctx, err)
	}
	f := newPhysical(found.byDefault, c.longest)
	f.uneven = found.uneven
	if old := c.physical.Swap(&f); old == nil || *old != f {
		c.adviseSpeed(c.longest)
		if f.uneven {
			c.provider.log.Warn("hazelcast: the members have different configurations for the map, so a conditional write takes a second round trip; "+
				"give all of them the same time-to-live-seconds", "map", c.name, "leastTimeToLive", f.byDefault)
		}
	}
	if found.timeless && !c.timeless.Swap(true) {
		c.provider.log.Warn("hazelcast: the map has no per-entry-stats-enabled, so after a split of the cluster it cannot keep the later of two updates; "+
			"set that and the merge-policy LatestUpdateMergePolicy", "map", c.name)
	}
	return nil
}

// notProbed is the error of a probe. An entry of ours may be left that nobody sees; nothing of the
// caller's was written.
func notProbed(ctx context.Context, err error) error {
	switch {
	case !errors.Is(err, driver.ErrIndeterminate):
		return err
	case ctx.Err() != nil:
		return notSent(ctx.Err())
	default:
		return fmt.Errorf("%w: the map cannot be probed: %w", driver.ErrUnavailable, errNoAnswer)
	}
}

// adviseSpeed tells the operator, once, where a map's configuration costs round trips. life is
// the longest that entries live, or one that the map's default did not suffice for.
func (c *cache) adviseSpeed(life time.Duration) {
	byDefault := c.physical.Load().byDefault
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
