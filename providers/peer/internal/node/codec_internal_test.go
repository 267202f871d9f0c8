package node

import (
	"reflect"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

func TestMessagesComeBack(t *testing.T) {
	req := part.Request{Kind: part.Swap, Op: part.OpID{Client: 1 << 63, Seq: 7}, Cache: "cache", Key: "key", Record: []byte("record"),
		Lineage: 1 << 63, Token: 42, TTL: -time.Second, Until: 1_700_000_000_000_000, Processor: "f", Args: []byte{0}}
	partition, got, left, err := parseRequest(appendRequest(nil, 270, &req, time.Minute))
	if err != nil || partition != 270 || left != time.Minute || !reflect.DeepEqual(got, req) {
		t.Errorf("got %d, %+v, %v, %v", partition, got, left, err)
	}
	for _, res := range []part.Result{
		{},
		{Status: part.NotSwapped, Present: part.Found{OK: true, Record: []byte("r"), Version: 9, Left: time.Hour, Until: 5}, Version: 3,
			Copies: 2, Output: []byte("out"), Repeated: true, Epoch: topology.Stamp{Term: 1, Version: 2}},
		{Status: part.NotPrimary, Lineage: 1 << 63},
	} {
		if got, err := parseResult(appendResult(nil, &res)); err != nil || !reflect.DeepEqual(got, res) {
			t.Errorf("got %+v, %v; want %+v", got, err, res)
		}
	}
	event := part.Event{Kind: part.ItemDelete, Cause: part.ByExpiry, Cache: "cache", Key: "key", Old: []byte("old"), Version: 8}
	reign := topology.Stamp{Term: 3, Version: 4}
	if partition, r, n, e, err := parseEvent(appendEvent(nil, 5, reign, 6, &event)); err != nil || partition != 5 || r != reign || n != 6 || !reflect.DeepEqual(*e, event) {
		t.Errorf("got %d, %v, %d, %+v, %v", partition, r, n, e, err)
	}
	pages := []Page{{Partition: 1, Size: 3}, {Partition: 2, Next: 1 << 63, Size: 1,
		Items: []part.Item{{Key: "key", Version: 7, Left: time.Second, Until: 11, Record: []byte("r")}}}}
	if got, err := parsePages(appendPages(nil, pages)); err != nil || !reflect.DeepEqual(got, pages) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// FuzzMessages sees to it that nothing that a member sends makes another one panic, or
// allocate more than it was sent.
func FuzzMessages(f *testing.F) {
	req := part.Request{Kind: part.Put, Cache: "c", Key: "k", Record: []byte("r")}
	f.Add(appendRequest(nil, 1, &req, time.Second))
	f.Add(appendResult(nil, &part.Result{Present: part.Found{OK: true, Record: []byte("r")}}))
	f.Add(appendEvent(nil, 1, topology.Stamp{}, 1, &part.Event{Cache: "c", Key: "k"}))
	f.Add(appendPages(nil, []Page{{Items: []part.Item{{Key: "k", Record: []byte("r")}}}}))
	f.Fuzz(func(t *testing.T, b []byte) {
		if partition, req, left, err := parseRequest(b); err == nil {
			again, back, _, err := parseRequest(appendRequest(nil, partition, &req, left))
			if err != nil || again != partition || !reflect.DeepEqual(back, req) {
				t.Errorf("%+v came back as %+v, %v", req, back, err)
			}
		}
		if res, err := parseResult(b); err == nil {
			if back, err := parseResult(appendResult(nil, &res)); err != nil || !reflect.DeepEqual(back, res) {
				t.Errorf("%+v came back as %+v, %v", res, back, err)
			}
		}
		_, _, _, _, _ = parseEvent(b)
		if pages, err := parsePages(b); err == nil && len(pages) > len(b) {
			t.Errorf("%d pages of %d bytes", len(pages), len(b))
		}
	})
}
