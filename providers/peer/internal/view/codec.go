package view

import (
	"encoding/binary"
	"errors"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// The types of messages on the wire. New ones get new numbers.
const (
	typeHeartbeat byte = iota + 1
	typeHeartbeatAck
	typePublish
	typeProbe
	typeHere
	typeJoin
	typeLeave
	typeClaim
	typeClaimAnswer
	typeReport
	typeDisband
)

// ErrMessage is what Parse returns for bytes that are no message.
var ErrMessage = errors.New("view: malformed message")

// Append appends the encoding of a message: its type, then its fields as varints and
// strings with their lengths. Fields may be added at the end; who does not know them
// skips them.
func Append(b []byte, msg Message) []byte {
	e := encoder{b}
	switch m := msg.(type) {
	case *Heartbeat:
		e.byte(typeHeartbeat)
		e.mark(m.Mark)
		e.uint(m.Promised)
		e.mark(m.Winner)
		e.int(m.Sent)
		e.int(m.Lease)
	case *HeartbeatAck:
		e.byte(typeHeartbeatAck)
		e.mark(m.Mark)
		e.uint(m.Promised)
		e.mark(m.Winner)
		e.int(m.Sent)
		e.int(m.Lease)
	case *Publish:
		e.byte(typePublish)
		e.bool(m.Winner)
		e.config(m.Config, m.Base)
	case *Probe:
		e.byte(typeProbe)
		e.mark(m.Mark)
		e.mark(m.Known)
	case *Here:
		e.byte(typeHere)
		e.mark(m.Mark)
	case *Join:
		e.byte(typeJoin)
		e.member(&m.Member)
		e.uint(m.Invited)
	case *Leave:
		e.byte(typeLeave)
		e.uint(uint64(m.ID))
	case *Claim:
		e.byte(typeClaim)
		e.uint(m.Term)
		e.mark(m.Mark)
		e.ids(m.Without)
		e.forks(m.Ancestors)
	case *ClaimAnswer:
		e.byte(typeClaimAnswer)
		e.uint(m.Term)
		e.bool(m.OK)
		e.uint(m.Promised)
		e.mark(m.Mark)
		e.int(m.Left)
		e.bool(m.Config != nil)
		if m.Config != nil {
			e.config(m.Config, topology.Stamp{})
		}
	case *Report:
		e.byte(typeReport)
		e.mark(m.Mark)
		e.findings(m.Synced)
		e.findings(m.Silent)
		e.findings(m.Merged)
		e.findings(m.Restored)
	case *Disband:
		e.byte(typeDisband)
		e.mark(m.Mark)
	}
	return e.b
}

// Parse decodes a message. It keeps nothing of b.
func Parse(b []byte) (Message, error) {
	d := decoder{b: b}
	var msg Message
	switch d.byte() {
	case typeHeartbeat:
		msg = &Heartbeat{Mark: d.mark(), Promised: d.uint(), Winner: d.mark(), Sent: d.int(), Lease: d.int()}
	case typeHeartbeatAck:
		msg = &HeartbeatAck{Mark: d.mark(), Promised: d.uint(), Winner: d.mark(), Sent: d.int(), Lease: d.int()}
	case typePublish:
		m := &Publish{Winner: d.bool()}
		m.Config, m.Base = d.config()
		msg = m
	case typeProbe:
		msg = &Probe{Mark: d.mark(), Known: d.mark()}
	case typeHere:
		msg = &Here{Mark: d.mark()}
	case typeJoin:
		msg = &Join{Member: d.member(), Invited: d.uint()}
	case typeLeave:
		msg = &Leave{ID: topology.ID(d.uint())}
	case typeClaim:
		msg = &Claim{Term: d.uint(), Mark: d.mark(), Without: d.ids(), Ancestors: d.forks()}
	case typeClaimAnswer:
		m := &ClaimAnswer{Term: d.uint(), OK: d.bool(), Promised: d.uint(), Mark: d.mark(), Left: d.int()}
		if d.bool() {
			m.Config, _ = d.config()
		}
		msg = m
	case typeReport:
		msg = &Report{Mark: d.mark(), Synced: d.findings(), Silent: d.findings(), Merged: d.findings(), Restored: d.findings()}
	case typeDisband:
		msg = &Disband{Mark: d.mark()}
	default:
		d.bad = true
	}
	if d.bad {
		return nil, ErrMessage
	}
	return msg, nil
}

type encoder struct{ b []byte }

func (e *encoder) byte(v byte)   { e.b = append(e.b, v) }
func (e *encoder) uint(v uint64) { e.b = binary.AppendUvarint(e.b, v) }
func (e *encoder) int(v int64)   { e.b = binary.AppendVarint(e.b, v) }

func (e *encoder) bool(v bool) {
	if v {
		e.byte(1)
	} else {
		e.byte(0)
	}
}

func (e *encoder) string(s string) {
	e.uint(uint64(len(s)))
	e.b = append(e.b, s...)
}

func (e *encoder) stamp(s topology.Stamp) {
	e.uint(s.Term)
	e.uint(s.Version)
}

func (e *encoder) mark(m Mark) {
	e.uint(m.Lineage)
	e.stamp(m.Stamp)
}

func (e *encoder) member(m *topology.Member) {
	e.uint(uint64(m.ID))
	e.string(m.Addr)
	e.string(m.Zone)
	e.bool(m.Leaving)
	e.bool(m.Reborn)
}

func (e *encoder) members(list []topology.Member) {
	e.uint(uint64(len(list)))
	for i := range list {
		e.member(&list[i])
	}
}

func (e *encoder) ids(list []topology.ID) {
	e.uint(uint64(len(list)))
	for _, id := range list {
		e.uint(uint64(id))
	}
}

func (e *encoder) forks(list []topology.Fork) {
	e.uint(uint64(len(list)))
	for _, f := range list {
		e.mark(Mark{f.Lineage, f.Stamp})
		e.uint(f.Clock)
		e.bool(f.Shared)
	}
}

func (e *encoder) findings(list []Finding) {
	e.uint(uint64(len(list)))
	for _, f := range list {
		e.uint(uint64(f.Partition))
		e.stamp(f.Epoch)
		e.uint(uint64(f.Member))
	}
}

// A decoder reads until something is wrong; from then on everything is zero.
type decoder struct {
	b   []byte
	bad bool
}

func (d *decoder) fail() {
	d.bad, d.b = true, nil
}

func (d *decoder) byte() byte {
	if len(d.b) == 0 {
		d.fail()
		return 0
	}
	v := d.b[0]
	d.b = d.b[1:]
	return v
}

func (d *decoder) bool() bool { return d.byte() != 0 }

func (d *decoder) uint() uint64 {
	v, n := binary.Uvarint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

func (d *decoder) int() int64 {
	v, n := binary.Varint(d.b)
	if n <= 0 {
		d.fail()
		return 0
	}
	d.b = d.b[n:]
	return v
}

// count reads how many elements follow. Each takes at least so many bytes, so that
// nobody can make the reader allocate more than a small multiple of what was sent.
func (d *decoder) count(size int) int {
	n := d.uint()
	if n > uint64(len(d.b)/size) {
		d.fail()
		return 0
	}
	return int(n)
}

// index reads a number less than n.
func (d *decoder) index(n int) int {
	v := d.uint()
	if v >= uint64(n) {
		d.fail()
		return 0
	}
	return int(v)
}

func (d *decoder) string() string {
	n := d.count(1)
	s := string(d.b[:n])
	d.b = d.b[n:]
	return s
}

func (d *decoder) stamp() topology.Stamp { return topology.Stamp{Term: d.uint(), Version: d.uint()} }

func (d *decoder) mark() Mark { return Mark{Lineage: d.uint(), Stamp: d.stamp()} }

func (d *decoder) member() topology.Member {
	return topology.Member{ID: topology.ID(d.uint()), Addr: d.string(), Zone: d.string(), Leaving: d.bool(), Reborn: d.bool()}
}

func (d *decoder) members() []topology.Member {
	var list []topology.Member
	for range d.count(5) {
		list = append(list, d.member())
	}
	return list
}

func (d *decoder) ids() []topology.ID {
	var list []topology.ID
	for range d.count(1) {
		list = append(list, topology.ID(d.uint()))
	}
	return list
}

func (d *decoder) forks() []topology.Fork {
	var list []topology.Fork
	for range d.count(5) {
		m := d.mark()
		list = append(list, topology.Fork{Lineage: m.Lineage, Stamp: m.Stamp, Clock: d.uint(), Shared: d.bool()})
	}
	return list
}

func (d *decoder) findings() []Finding {
	n := d.count(4)
	if n == 0 {
		return nil
	}
	list := make([]Finding, n)
	for i := range list {
		list[i] = Finding{Partition: d.index(maxPartitions), Epoch: d.stamp(), Member: topology.ID(d.uint())}
	}
	return list
}
