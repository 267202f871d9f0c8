package lan

import (
	"io"
	"math"
	"slices"
	"sync"
	"time"
)

// A port reads and writes whole IPv4 packets.
type port = io.ReadWriteCloser

// place returns where a host is among the ports: Outside is the first one.
func place(host int) int { return host + 1 }

// A hub passes packets on between its ports.
type hub struct {
	links  [][]*link // from, to
	closed chan struct{}
	work   sync.WaitGroup
}

func newHub(ports []port, seed uint64) *hub {
	h := &hub{closed: make(chan struct{})}
	for from := range ports {
		var row []*link
		for to := range ports {
			k := newLink(seed, uint64(from*len(ports)+to))
			row = append(row, k)
			h.work.Go(func() { h.deliver(k, ports[to]) })
		}
		h.links = append(h.links, row)
	}
	for from, p := range ports {
		h.work.Go(func() { h.receive(p, h.links[from]) })
	}
	return h
}

// destination is where the last number of the destination is in an IPv4 packet, and
// shortest how long that is at least.
const destination, shortest = 19, 20

// receive puts what a host sends on the links to where it should go.
func (h *hub) receive(from io.Reader, links []*link) {
	buf := make([]byte, math.MaxUint16)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return // the port is closed
		}
		if n < shortest || buf[0]>>4 != 4 {
			continue
		}
		if to := int(buf[destination]) - firstAddr; to >= 0 && to < len(links) {
			links[to].take(slices.Clone(buf[:n]))
		}
	}
}

// deliver passes on what is on a link, when it is due.
func (h *hub) deliver(k *link, to io.Writer) {
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case p := <-k.queue:
			if wait := time.Until(p.due); wait > 0 {
				timer.Reset(wait)
				select {
				case <-timer.C:
				case <-h.closed:
					return
				}
			}
			_, _ = to.Write(p.packet) // a host that is not there takes nothing
		case <-h.closed:
			return
		}
	}
}

// close waits until nothing is passed on any more. The ports are closed by then.
func (h *hub) close() {
	close(h.closed)
	h.work.Wait()
}
