package memory_test

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// What a full cache takes of the process: live is the heap after a collection, resident what
// the process had from the system while new entries displaced old ones. Both are parts of
// MaxBytes.
func BenchmarkMaxBytes(b *testing.B) {
	for _, size := range []int{20, 200, 2000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			const bound = 64 << 20
			p, err := memory.Connect(memory.Options{MaxBytes: bound})
			if err != nil {
				b.Fatal(err)
			}
			defer p.Close(b.Context()) //nolint:errcheck // it has no errors
			c, err := p.OpenCache(b.Context(), "c", driver.CacheOptions{})
			if err != nil {
				b.Fatal(err)
			}
			debug.FreeOSMemory()
			live, resident := heap(), fromSystem()
			n := max(b.N, 4*bound/(size+memory.EntryCost))
			b.ResetTimer()
			for i := range n {
				if err := c.Put(b.Context(), fmt.Sprintf("%040d", i), make([]byte, size), time.Now().Add(time.Hour)); err != nil {
					b.Fatal(err)
				}
			}
			b.StopTimer()
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/op")
			b.ReportMetric(float64(fromSystem()-resident)/bound, "resident")
			b.ReportMetric(float64(heap()-live)/bound, "live")
			runtime.KeepAlive(c)
		})
	}
}

// fromSystem returns how many bytes the process has from the system.
func fromSystem() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.Sys - m.HeapReleased
}
