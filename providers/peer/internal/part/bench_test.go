package part_test

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A solo is a member alone with all partitions, as a benchmark needs it.
type solo struct {
	replicas []*part.Replica
	fx       part.Effects
	now      part.Now
	seq      uint64
}

func alone(partitions int) *solo {
	m := &solo{now: part.Now{Mono: int64(time.Hour), Wall: start, Lease: 1 << 62}}
	c := topology.Found(1, topology.Member{ID: 1}, partitions)
	for i := range partitions {
		r := part.New(part.Options{Self: 1, Partition: i})
		r.Configure(m.now, c, &m.fx)
		m.replicas = append(m.replicas, r)
	}
	return m
}

// put stores a record in a partition.
func (m *solo) put(i int, key string, record []byte) {
	m.seq++
	r := m.replicas[i%len(m.replicas)]
	req := part.Request{Kind: part.Put, Cache: "sessions", Key: key, Record: record, TTL: 30 * time.Minute,
		Op: part.OpID{Client: 1, Seq: m.seq}, Expires: 1 << 62}
	r.Do(m.now, &req, &m.fx)
	r.Flush(m.now, &m.fx)
	m.fx.Reset()
}

func inUse() int64 {
	debug.FreeOSMemory()
	var s runtime.MemStats
	runtime.ReadMemStats(&s)
	return int64(s.HeapAlloc)
}

// resident returns the memory of the process, or zero where that is not known.
func resident() int64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0
	}
	_, rest, _ := bytes.Cut(status, []byte("VmRSS:"))
	kb, _, _ := bytes.Cut(bytes.TrimSpace(rest), []byte(" "))
	n, _ := strconv.ParseInt(string(kb), 10, 64)
	return n << 10
}

func TestOverwritingCostsNoMemory(t *testing.T) {
	const keys = 50_000
	m := alone(31)
	record := make([]byte, 500)
	fill := func() {
		for i := range keys {
			m.put(i, fmt.Sprintf("%032d", i), record)
		}
	}
	before := inUse()
	fill()
	first := inUse() - before
	for range 20 {
		fill()
		m.now.Mono += int64(10 * time.Second)
		for _, r := range m.replicas {
			r.Tick(m.now, &m.fx)
		}
		m.fx.Reset()
	}
	if last := inUse() - before; last > first+first/10 {
		t.Errorf("%d bytes after all keys were overwritten 20 times, %d before", last, first)
	}
	runtime.KeepAlive(m)
}

// BenchmarkMemory reports what an entry of 500 bytes with a key of 32 bytes costs.
func BenchmarkMemory(b *testing.B) {
	const keys = 1_000_000
	for range b.N {
		before, beforeRSS := inUse(), resident()
		m := alone(271)
		record := make([]byte, 500)
		for i := range keys {
			m.put(i, fmt.Sprintf("%032d", i), record)
		}
		heapped := inUse() - before
		b.ReportMetric(float64(heapped)/keys, "heap-B/entry")
		b.ReportMetric(float64(resident()-beforeRSS)/keys, "rss-B/entry")
		runtime.KeepAlive(m)
	}
}

func BenchmarkGet(b *testing.B) {
	m := alone(1)
	keys := make([]string, 4096)
	for i := range keys {
		keys[i] = fmt.Sprintf("%032d", i)
		m.put(0, keys[i], make([]byte, 500))
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if f, _ := m.replicas[0].Get(m.now, "sessions", keys[i%4096]); !f.OK {
			b.Fatal("it is not there")
		}
	}
}

func BenchmarkPutAlone(b *testing.B) {
	m := alone(1)
	keys := make([]string, 4096)
	for i := range keys {
		keys[i] = fmt.Sprintf("%032d", i)
	}
	record := make([]byte, 500)
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		m.put(0, keys[i%4096], record)
	}
}

// BenchmarkPutReplicated puts through a backup, in batches, with the encoding of the
// messages but without a network.
func BenchmarkPutReplicated(b *testing.B) {
	for _, batch := range []int{1, 16, 64} {
		b.Run(fmt.Sprint("batch=", batch), func(b *testing.B) {
			l := pair(b, part.Options{})
			keys := make([]string, 4096)
			for i := range keys {
				keys[i] = fmt.Sprintf("%032d", i)
			}
			record := make([]byte, 500)
			reqs := make([]part.Request, batch)
			now := l.now()
			now.Lease = 1 << 62
			var frame []byte
			var seq uint64
			step := func(from topology.ID) (sent []part.Message) {
				for _, e := range l.fx.Send {
					sent = append(sent, e.Msg)
				}
				l.fx.Reset()
				for _, m := range sent {
					frame = part.Append(frame[:0], m)
					parsed, err := part.Parse(frame)
					if err != nil {
						b.Fatal(err)
					}
					l.replicas[3-from].Step(now, from, parsed, &l.fx)
				}
				return sent
			}
			b.ReportAllocs()
			for i := 0; i < b.N; i += batch {
				for j := range reqs {
					seq++
					reqs[j] = part.Request{Kind: part.Put, Cache: "sessions", Key: keys[seq%4096], Record: record,
						TTL: 30 * time.Minute, Op: part.OpID{Client: 1, Seq: seq}, Expires: 1 << 62}
					l.replicas[1].Do(now, &reqs[j], &l.fx)
				}
				l.replicas[1].Flush(now, &l.fx)
				step(1)
				step(2)
				if len(l.fx.Replies) != batch {
					b.Fatalf("%d of %d puts are answered", len(l.fx.Replies), batch)
				}
				l.fx.Reset()
			}
		})
	}
}

func BenchmarkTickAtRest(b *testing.B) {
	m := alone(271)
	for i := range 100_000 {
		m.put(i, fmt.Sprintf("%032d", i), make([]byte, 100))
	}
	b.ReportAllocs()
	for b.Loop() {
		m.now.Mono += int64(50 * time.Millisecond)
		for _, r := range m.replicas {
			r.Tick(m.now, &m.fx)
		}
		m.fx.Reset()
	}
}
