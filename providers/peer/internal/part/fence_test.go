package part_test

import (
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// What was asked under one lineage is not executed under another one, whether it comes then or
// waits already, and what was executed before means nothing to a caller that has not followed.
func TestRequestsOfAnotherLineage(t *testing.T) {
	l := pair(t, part.Options{})
	req := func(kind part.Kind, lineage uint64) part.Request {
		return part.Request{Kind: kind, Lineage: lineage, Cache: "cache", Key: "key", Record: []byte("record"), Op: part.OpID{Client: 1, Seq: lineage}}
	}
	here := l.config.Lineage
	executed := l.begin(1, req(part.Put, here))
	waits := l.begin(1, req(part.Get, here))
	l.mail = nil // the backup is cut off
	l.config = l.config.Clone()
	l.config.Lineage = here + 1
	l.change(func(p *topology.Partition) { p.InSync = []topology.ID{1} }, 1)
	if res, ok := l.replies[waits]; !ok || res.Status != part.NotPrimary || res.Lineage != here+1 {
		t.Errorf("a request that waited ends with %v, %+v", ok, res)
	}
	res, ok := l.replies[executed]
	if !ok || res.Status != part.OK || res.Lineage != here+1 {
		t.Fatalf("a request that was executed ends with %v, %+v", ok, res)
	}
	if res.Under(here).Status != part.Unknown || res.Under(here+1).Status != part.OK {
		t.Errorf("to callers of both sides it ended with status %d and %d", res.Under(here).Status, res.Under(here+1).Status)
	}
	for _, kind := range []part.Kind{part.Get, part.Put, part.Swap, part.Clear} {
		if res := l.do(1, req(kind, here)); res.Status != part.NotPrimary || res.Lineage != here+1 {
			t.Errorf("kind %d under another lineage ends with %+v", kind, res)
		}
	}
	if res := l.do(1, req(part.Put, here+1)); res.Status != part.OK || res.Lineage != 0 {
		t.Errorf("a put under this lineage ends with %+v", res)
	}
}
