package wire_test

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

func TestAnotherProcessAtTheAddressIsNotThePeer(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		p := a.Peer(3, b.addr)
		if _, err := p.Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrNotSent) || !errors.Is(err, wire.ErrReplaced) {
			t.Errorf("got %v", err)
		}
		if !a.saw(wire.Replaced, 3) {
			t.Errorf("nothing tells that the process is gone: %v", a.events)
		}
		if _, _, err := a.Stream(t.Context(), a.addr); !errors.Is(err, wire.ErrSelf) {
			t.Errorf("one's own address: %v", err)
		}
		if _, err := a.Peer(1, a.addr).Call(t.Context(), wire.Data, echo); !errors.Is(err, wire.ErrSelf) {
			t.Errorf("one's own ID: %v", err)
		}
		synctest.Wait()
		if a.saw(wire.Broken, 1) {
			t.Error("a process is told of itself")
		}
	})
}

func TestHelloSaysWhatDiffers(t *testing.T) {
	tests := []struct {
		name   string
		change func(*wire.Hello)
		want   string
	}{
		{"cluster", func(h *wire.Hello) { h.Cluster = "bank" }, `in cluster "`},
		{"partitions", func(h *wire.Hello) { h.Partitions = 7 }, "partitions, the other"},
		{"newer", func(h *wire.Hello) { h.Protocol, h.Oldest = 3, 2 }, "protocol"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bubble(t, func(t *testing.T, n *wiretest.Network) {
				var log bytes.Buffer
				a := start(t, n, 1)
				b := start(t, n, 2, func(o *wire.Options) {
					tt.change(&o.Self)
					o.Logger = slog.New(slog.NewTextHandler(&log, nil))
				})
				_, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, echo)
				if !errors.Is(err, wire.ErrMismatch) || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("who dialled sees: %v", err)
				}
				synctest.Wait()
				if text := strings.ReplaceAll(log.String(), `\`, ""); !strings.Contains(text, tt.want) {
					t.Errorf("who was dialled logs: %s", text)
				}
			})
		})
	}
	t.Run("a range of versions in common", func(t *testing.T) {
		bubble(t, func(t *testing.T, n *wiretest.Network) {
			a, b := start(t, n, 1), start(t, n, 2, func(o *wire.Options) { o.Self.Protocol = 2 })
			if _, err := a.Peer(2, b.addr).Call(t.Context(), wire.Data, echo); err != nil {
				t.Error(err)
			}
		})
	})
}

func TestSilentStrangerIsTurnedAway(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		var log bytes.Buffer
		b := start(t, n, 2, func(o *wire.Options) { o.Logger = slog.New(slog.NewTextHandler(&log, nil)) })
		for _, says := range []string{"", "GET / HTTP/1.1\r\n\r\n", "\x00\x00\x00\x0e\xff\x00\x00\x00\x00\x00\x00\x00\x00\x00SPAM"} {
			c, err := n.Dialer("stranger")(t.Context(), b.addr)
			if err != nil {
				t.Fatal(err)
			}
			_, _ = io.WriteString(c, says)
			began := time.Now()
			if got, err := io.ReadAll(c); len(got) > 0 || err != nil || time.Since(began) > 5*time.Second {
				t.Errorf("%q: got %q, %v after %v", says, got, err, time.Since(began))
			}
			_ = c.Close()
		}
		synctest.Wait()
		if lines := strings.Count(log.String(), "turned away"); lines != 1 {
			t.Errorf("strangers filled the log with %d lines: %s", lines, log.String())
		}
	})
}
