package wire_test

import (
	"fmt"
	"io"
	"net"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// together runs b.N operations on so many goroutines.
func together(b *testing.B, callers int, operation func() error) {
	b.Helper()
	b.ReportAllocs()
	b.ResetTimer()
	var left atomic.Int64
	left.Store(int64(b.N))
	var all sync.WaitGroup
	for range callers {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				if err := operation(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
}

// BenchmarkCall is both sides of a call over loopback, in one process.
func BenchmarkCall(b *testing.B) {
	for name, s := range map[string]wire.Security{"plain": {Plaintext: true}, "tls": {Secret: secret}} {
		for _, size := range []int{100, 1000} {
			for _, callers := range []int{1, 16, 64} {
				b.Run(fmt.Sprintf("%s/bytes=%d/callers=%d", name, size, callers), func(b *testing.B) {
					here, _ := real(b, 1, s)
					there, _ := real(b, 2, s)
					p, body := here.Peer(2, there.Self().Addr), make([]byte, size)
					if _, err := p.Call(b.Context(), wire.Data, echo); err != nil {
						b.Fatal(err)
					}
					together(b, callers, func() error {
						_, err := p.Call(b.Context(), wire.Data, echo, body)
						return err
					})
				})
			}
		}
	}
}

// BenchmarkRaw is the limit: echoes on a bare connection for each caller.
func BenchmarkRaw(b *testing.B) {
	for _, size := range []int{100, 1000} {
		for _, callers := range []int{1, 16, 64} {
			b.Run(fmt.Sprintf("bytes=%d/callers=%d", size, callers), func(b *testing.B) {
				l, err := net.Listen("tcp", "127.0.0.1:0")
				if err != nil {
					b.Fatal(err)
				}
				b.Cleanup(func() { _ = l.Close() })
				go func() {
					for c, err := l.Accept(); err == nil; c, err = l.Accept() {
						go func() {
							_, _ = io.Copy(struct{ io.Writer }{c}, struct{ io.Reader }{c})
							_ = c.Close()
						}()
					}
				}()
				conns := make(chan net.Conn, callers)
				for range callers {
					c, err := net.Dial("tcp", l.Addr().String())
					if err != nil {
						b.Fatal(err)
					}
					b.Cleanup(func() { _ = c.Close() })
					conns <- c
				}
				bodies := sync.Pool{New: func() any { b := make([]byte, size); return &b }}
				together(b, callers, func() error {
					c, body := <-conns, bodies.Get().(*[]byte)
					defer func() { conns <- c; bodies.Put(body) }()
					if _, err := c.Write(*body); err != nil {
						return err
					}
					_, err := io.ReadFull(c, *body)
					return err
				})
			})
		}
	}
}
