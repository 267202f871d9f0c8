package lan

import (
	"math/rand/v2"
	"sync"
	"time"
)

// A Condition is what a link does to packets. The zero Condition passes everything on at
// once.
type Condition struct {
	Cut       bool    // nothing passes, and nobody is told
	Loss      float64 // the share of the packets that are lost
	Duplicate float64 // the share that arrive twice
	Delay     time.Duration
	// BytesPerSecond bounds what passes, if it is not zero. What would have to wait
	// longer than maxBacklog is lost.
	BytesPerSecond int
}

// maxBacklog bounds the queue of a slow link.
const maxBacklog = 200 * time.Millisecond

// queued is how many packets a link has room for.
const queued = 4096

// A link is one direction between two hosts.
type link struct {
	queue chan parcel

	mu   sync.Mutex
	is   Condition
	rng  *rand.Rand
	free time.Time // when a slow link has sent what it has
}

type parcel struct {
	packet []byte
	due    time.Time // zero: at once
}

func newLink(seed, number uint64) *link {
	return &link{queue: make(chan parcel, queued), rng: rand.New(rand.NewPCG(seed, number))}
}

func (k *link) set(c Condition) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.is = c
}

// take decides what becomes of a packet.
func (k *link) take(packet []byte) {
	k.mu.Lock()
	defer k.mu.Unlock()
	c := k.is
	// Both are drawn for each packet, so that what becomes of the next one does not
	// depend on the condition.
	lost, doubled := k.rng.Float64() < c.Loss, k.rng.Float64() < c.Duplicate
	if c.Cut || lost {
		return
	}
	p := parcel{packet: packet}
	if c.Delay > 0 || c.BytesPerSecond > 0 {
		p.due = time.Now().Add(c.Delay)
	}
	if c.BytesPerSecond > 0 {
		now := time.Now()
		if k.free.Before(now) {
			k.free = now
		}
		if k.free.Sub(now) > maxBacklog {
			return
		}
		k.free = k.free.Add(time.Duration(len(packet)) * time.Second / time.Duration(c.BytesPerSecond))
		p.due = k.free.Add(c.Delay)
	}
	k.put(p)
	if doubled {
		k.put(p)
	}
}

func (k *link) put(p parcel) {
	select {
	case k.queue <- p:
	default: // it is lost, as in any queue that is full
	}
}
