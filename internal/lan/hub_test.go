package lan

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"testing"
	"testing/synctest"
	"time"
)

// A stub is a port whose host is the test.
type stub struct {
	sent     chan []byte // by the host
	arrivals []arrival
}

type arrival struct {
	number byte
	after  time.Duration
}

func (s *stub) Read(b []byte) (int, error) {
	packet, ok := <-s.sent
	if !ok {
		return 0, io.EOF
	}
	return copy(b, packet), nil
}

func (s *stub) Close() error { close(s.sent); return nil }

var began time.Time

func (s *stub) Write(b []byte) (int, error) {
	s.arrivals = append(s.arrivals, arrival{b[shortest], time.Since(began)})
	return len(b), nil
}

// packetTo is a packet to a place among the ports.
func packetTo(to int, number byte) []byte {
	p := bytes.Repeat([]byte{0}, 100)
	p[0], p[destination], p[shortest] = 0x45, byte(firstAddr+to), number
	return p
}

// pass sends packets from the first of two ports to the second one, and returns what arrived there.
func pass(t *testing.T, seed uint64, c Condition, n int) (arrivals []arrival) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &stub{sent: make(chan []byte)}, &stub{sent: make(chan []byte)}
		began = time.Now()
		h := newHub([]port{a, b}, seed)
		h.links[0][1].set(c)
		for i := range n {
			a.sent <- packetTo(1, byte(i))
		}
		time.Sleep(time.Minute)
		must(t, a.Close())
		must(t, b.Close())
		h.close()
		if len(a.arrivals) > 0 {
			t.Error("a packet came back")
		}
		arrivals = b.arrivals
	})
	return arrivals
}

func TestConditions(t *testing.T) {
	const n = 200
	for _, c := range []struct {
		name        string
		is          Condition
		least, most int // packets that arrive
		first, last time.Duration
	}{
		{"sound", Condition{}, n, n, 0, 0},
		{"cut", Condition{Cut: true}, 0, 0, 0, 0},
		{"lossy", Condition{Loss: 0.3}, 120, 160, 0, 0},
		{"doubling", Condition{Duplicate: 0.5}, 280, 320, 0, 0},
		{"long", Condition{Delay: time.Second}, n, n, time.Second, time.Second},
		{"narrow", Condition{BytesPerSecond: 200_000}, n, n, time.Second / 2000, time.Second / 10},
		{"narrow and full", Condition{BytesPerSecond: 10_000}, 21, 21, time.Second / 100, 21 * time.Second / 100},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := pass(t, 1, c.is, n)
			if len(got) < c.least || len(got) > c.most {
				t.Fatalf("%d packets arrived, want %d to %d", len(got), c.least, c.most)
			}
			if len(got) > 0 && (got[0].after != c.first || got[len(got)-1].after != c.last) {
				t.Errorf("they arrived from %v to %v, want %v to %v", got[0].after, got[len(got)-1].after, c.first, c.last)
			}
			for i := 1; i < len(got); i++ {
				if got[i].number < got[i-1].number {
					t.Fatalf("packet %d arrived after %d", got[i].number, got[i-1].number)
				}
			}
			if again := fmt.Sprint(pass(t, 1, c.is, n)); again != fmt.Sprint(got) {
				t.Error("the same seed does something else")
			}
		})
	}
	if fmt.Sprint(pass(t, 2, Condition{Loss: 0.3}, n)) == fmt.Sprint(pass(t, 1, Condition{Loss: 0.3}, n)) {
		t.Error("another seed does the same")
	}
}

// What is no packet to a host that is there goes nowhere.
func TestStrayPackets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, b := &stub{sent: make(chan []byte)}, &stub{sent: make(chan []byte)}
		h := newHub([]port{a, b}, 1)
		v6 := packetTo(1, 0)
		v6[0] = 0x60
		for _, p := range [][]byte{{}, {0x45}, v6, packetTo(2, 0), packetTo(math.MaxUint8-firstAddr, 0)} {
			a.sent <- p
		}
		synctest.Wait()
		must(t, a.Close())
		must(t, b.Close())
		h.close()
		if len(a.arrivals)+len(b.arrivals) > 0 {
			t.Errorf("%v and %v arrived", a.arrivals, b.arrivals)
		}
	})
}
