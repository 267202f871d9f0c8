package peer

import (
	"errors"
	"math"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
)

// A MergePolicy says what becomes of the smaller side's records when the sides of a split
// meet again. What both sides knew before the split is no matter of policy: what one of
// them removed stays removed.
type MergePolicy uint8

const (
	// MergeLatest keeps the later write of a key that both sides changed, a removal
	// being a write; or what the function makes of the two that somebody registered
	// with jcache.RegisterMerge for the codec of both.
	MergeLatest MergePolicy = iota
	// MergeFirst keeps what the larger side has of a key that both sides changed.
	MergeFirst
	// MergeDiscard takes nothing that the smaller side wrote.
	MergeDiscard
)

var errMerge = errors.New("is neither latest, first or discard nor name=policy, or a cache is there twice")

// parseMerge reads a list of policies: one for all caches, and others for caches by name.
func parseMerge(list []string) (map[string]MergePolicy, error) {
	policies := make(map[string]MergePolicy, len(list))
	for _, element := range list {
		name, word, named := strings.Cut(element, "=")
		if !named {
			name, word = "", element
		}
		policy, ok := map[string]MergePolicy{"latest": MergeLatest, "first": MergeFirst, "discard": MergeDiscard}[word]
		if _, twice := policies[name]; !ok || twice || named && name == "" {
			return nil, errMerge
		}
		policies[name] = policy
	}
	return policies, nil
}

// knownPolicies reports whether there are such policies.
func knownPolicies(policies map[string]MergePolicy) bool {
	for _, p := range policies {
		if p > MergeDiscard {
			return false
		}
	}
	return true
}

// mergePolicy returns the policy of a cache.
func (o Options) mergePolicy(cache string) MergePolicy {
	if p, ok := o.Merge[cache]; ok {
		return p
	}
	return o.Merge[""]
}

// discards reports whether nothing of a cache is taken from the smaller side.
func (o Options) discards(cache string) bool { return o.mergePolicy(cache) == MergeDiscard }

// mergeFunc returns how a key of a cache is merged that both sides changed.
func (o Options) mergeFunc(cache string) part.MergeFunc {
	if o.mergePolicy(cache) == MergeFirst {
		return keepOurs
	}
	return mergeItems
}

// keepOurs keeps what is here, at the larger side.
func keepOurs(ours, _ *part.Item) ([]byte, time.Duration) { return ours.Record, ours.Left }

// mergeItems merges two records whose codec can, and otherwise keeps the later write.
func mergeItems(ours, theirs *part.Item) ([]byte, time.Duration) {
	if ours.Kind == part.ItemPut && theirs.Kind == part.ItemPut {
		if m, ok := jcache.MergeRecords(mergeable(ours), mergeable(theirs)); ok {
			return m.Record, leftUntil(m.Deadline, ours, theirs)
		}
	}
	if theirs.Version > ours.Version {
		return theirs.Record, theirs.Left
	}
	return ours.Record, ours.Left
}

func mergeable(it *part.Item) driver.Item {
	item := driver.Item{Record: it.Record}
	if it.Left != 0 {
		item.Deadline = time.UnixMicro(it.Until)
	}
	return item
}

// leftUntil returns the time that is left to a record until a deadline, as the items tell
// the time. Zero: there is no deadline.
func leftUntil(deadline time.Time, items ...*part.Item) time.Duration {
	if deadline.IsZero() {
		return 0
	}
	for _, it := range items {
		if it.Left != 0 {
			later := deadline.Sub(time.UnixMicro(it.Until))
			if it.Left > math.MaxInt64-max(0, later) {
				return math.MaxInt64
			}
			return max(1, it.Left+later)
		}
	}
	return max(1, time.Until(deadline))
}
