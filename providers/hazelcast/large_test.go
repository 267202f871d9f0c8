package hazelcast_test

import (
	"bytes"
	"errors"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

func TestLargeRecords(t *testing.T) {
	p := connect(t, hazelcast.Options{MaxRecordBytes: 1 << 20})
	c := openCache(t, p, driver.CacheOptions{})
	if got := c.Info().MaxRecordBytes; got != 1<<20 {
		t.Errorf("the largest record is %d bytes, want %d", got, 1<<20)
	}
	record := bytes.Repeat([]byte("0123456789abcdef"), 1<<16)
	must(t, c.Put(limited(t, time.Minute), "k", record, time.Time{}))
	item, found, err := c.Get(limited(t, time.Minute), "k")
	if err != nil || !found || !bytes.Equal(item.Record, record) {
		t.Errorf("a record of %d bytes came back as %d bytes, %v, %v", len(record), len(item.Record), found, err)
	}

	m, err := jcache.NewManager(p, jcache.ManagerOptions{Provider: "hazelcast"})
	must(t, err)
	large, err := jcache.CreateCache(limited(t, time.Minute), m, "large", jcache.Options[string, []byte]{})
	must(t, err)
	if err := large.Put(limited(t, time.Minute), "k", record); !errors.Is(err, jcache.ErrTooLarge) {
		t.Errorf("a value of the limit's size, that is more with its header: %v, want ErrTooLarge", err)
	}
}
