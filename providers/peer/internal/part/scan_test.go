package part_test

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// What is there throughout a scan is returned once, what is deleted before its page comes
// is not, and every page shows the records as they are then; whatever other scans, writes,
// pauses and changes of the primary there are between two pages.
func TestScansAtOnce(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		l := pair(t, part.Options{TombstoneAge: 2 * time.Second})
		l.t = fataler{t, rt}
		primary := topology.ID(1)
		record := map[string]string{}
		put := func(key string) {
			record[key] = fmt.Sprint("at ", l.mono)
			l.put(primary, key, record[key], 0)
		}
		key := func() string { return fmt.Sprint(rapid.IntRange(0, 60).Draw(rt, "key")) }
		for i := range 40 {
			put(fmt.Sprint(i))
		}
		type scan struct {
			cursor     uint64
			throughout map[string]bool // what was there since the scan began
			seen       map[string]bool
		}
		begin := func() *scan {
			s := &scan{throughout: map[string]bool{}, seen: map[string]bool{}}
			for k := range record {
				s.throughout[k] = true
			}
			return s
		}
		scans := []*scan{begin(), begin(), begin()}
		for range rapid.IntRange(20, 80).Draw(rt, "steps") {
			switch op := rapid.IntRange(0, 9).Draw(rt, "op"); op {
			case 0:
				put(key())
			case 1:
				k := key()
				l.do(primary, part.Request{Kind: part.Delete, Cache: "cache", Key: k})
				delete(record, k)
				for _, s := range scans {
					delete(s.throughout, k)
				}
			case 2:
				l.tick(time.Duration(rapid.IntRange(1, 3000).Draw(rt, "ms")) * time.Millisecond)
				l.deliver()
			case 3:
				primary = 3 - primary
				l.change(func(p *topology.Partition) { p.Primary = primary })
				l.deliver()
			default:
				i := op % len(scans)
				s := scans[i]
				items, next, status := l.replicas[primary].Scan(l.now(), "cache", s.cursor, rapid.IntRange(1, 12).Draw(rt, "limit"))
				if status != part.OK {
					rt.Fatalf("status %d", status)
				}
				for _, it := range items {
					if want, ok := record[it.Key]; !ok || want != string(it.Record) {
						rt.Fatalf("key %s is returned with %q, and has %q", it.Key, it.Record, want)
					}
					if s.seen[it.Key] && s.throughout[it.Key] {
						rt.Fatalf("key %s is returned twice", it.Key)
					}
					s.seen[it.Key] = true
				}
				if s.cursor = next; next != 0 {
					break
				}
				for k := range s.throughout {
					if !s.seen[k] {
						rt.Fatalf("key %s is missing", k)
					}
				}
				scans[i] = begin()
			}
			if n, status := l.replicas[primary].Size(l.now(), "cache"); n != len(record) || status != part.OK {
				rt.Fatalf("size %d, status %d; want %d", n, status, len(record))
			}
		}
	})
}
