package httpsession

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
	"time"
)

// An attribute is one of a record's list, in which each name stands once and in order:
//
//	changed  8 bytes
//	lengths  of name and value, varints
//	name     that many bytes
//	value    that many bytes
//
// Attributes stay encoded: they are decoded when a handler reads them, and copied as they
// are when others change. One that was removed leaves a tombstone without a value for a
// while, so that it stays removed when a grid that was split merges its records.
type attribute struct {
	name, value []byte
	changed     stamp
}

// A stamp says when an attribute was changed, in half microseconds since 1970. It is odd
// if the attribute was removed. Of two changes the one with the greater stamp counts.
type stamp uint64

func stampOf(now int64, removed bool) stamp {
	s := stamp(max(0, now)) << 1
	if removed {
		s |= 1
	}
	return s
}

func (s stamp) removed() bool { return s&1 != 0 }

// time returns microseconds since 1970.
func (s stamp) time() int64 { return int64(s >> 1) }

const (
	// removedTTL is how long a removed attribute is remembered.
	removedTTL = 10 * time.Minute
	// maxRemoved is how many are at most.
	maxRemoved = 32
)

// measure returns where the name and the value of the first attribute of a list begin, and
// where it ends; that is zero if the list is damaged.
func measure(list []byte) (name, value, end int) {
	const lengths = 8
	if len(list) < lengths+2 {
		return 0, 0, 0
	}
	n, v := uint64(list[lengths]), uint64(list[lengths+1])
	name = lengths + 2
	if n|v >= 0x80 { // most are short
		var sizeN, sizeV int
		if n, sizeN = binary.Uvarint(list[lengths:]); sizeN <= 0 {
			return 0, 0, 0
		}
		if v, sizeV = binary.Uvarint(list[lengths+sizeN:]); sizeV <= 0 {
			return 0, 0, 0
		}
		name = lengths + sizeN + sizeV
	}
	if left := uint64(len(list) - name); n > left || v > left-n {
		return 0, 0, 0
	}
	value = name + int(n)
	return name, value, value + int(v)
}

func stampIn(list []byte) stamp { return stamp(binary.LittleEndian.Uint64(list)) }

// nextAttribute takes the first attribute off a list that is well formed.
func nextAttribute(list []byte) (a attribute, rest []byte) {
	name, value, end := measure(list)
	return attribute{list[name:value:value], list[value:end:end], stampIn(list)}, list[end:]
}

// wellFormed reports whether a list is whole, and its names are in order.
func wellFormed(list []byte) bool {
	var last []byte
	for first := true; len(list) > 0; first = false {
		name, value, end := measure(list)
		if end == 0 || !first && bytes.Compare(last, list[name:value]) >= 0 {
			return false
		}
		last, list = list[name:value], list[end:]
	}
	return true
}

// attributeSize is how many bytes an attribute takes in a list.
func attributeSize(name, value int) int {
	var room [2 * binary.MaxVarintLen64]byte
	n := binary.PutUvarint(room[:], uint64(name))
	return 8 + n + binary.PutUvarint(room[n:], uint64(value)) + name + value
}

func (a attribute) append(list []byte) []byte {
	list = binary.LittleEndian.AppendUint64(list, uint64(a.changed))
	list = binary.AppendUvarint(list, uint64(len(a.name)))
	list = binary.AppendUvarint(list, uint64(len(a.value)))
	return append(append(list, a.name...), a.value...)
}

// attribute returns the encoded value of an attribute.
func (r *record) attribute(name string) ([]byte, bool) {
	from := position(r.attributes, name)
	if from < 0 {
		return nil, false
	}
	one := r.attributes[from:]
	_, value, end := measure(one)
	return one[value:end:end], !stampIn(one).removed()
}

// position returns where in a list the attribute of a name begins, or -1.
func position(list []byte, name string) int {
	for from := 0; from < len(list); {
		at, value, end := measure(list[from:])
		if string(list[from+at:from+value]) == name {
			return from
		}
		from += end
	}
	return -1
}

// apply returns the attributes with changes that are made now, and leaves r's own as they
// are. The changes are in the order of their names, of which each stands once.
func (r *record) apply(changes []change, now int64) []byte {
	size := len(r.attributes)
	for _, c := range changes {
		size += len(c.name) + len(c.value) + 8 + 2*binary.MaxVarintLen32
	}
	list := make([]byte, 0, size)
	removed, oldest := 0, now-removedTTL.Microseconds()
	same, rest := r.attributes, r.attributes // same begins with those that stay as they are and are not copied yet
	for len(rest) > 0 {
		at, value, end := measure(rest)
		name, changed := rest[at:value:value], stampIn(rest)
		forgotten := changed.removed() && changed.time() < oldest
		if forgotten || len(changes) > 0 && changes[0].name <= string(name) {
			list = append(list, same[:len(same)-len(rest)]...)
			same = rest
			for len(changes) > 0 && changes[0].name < string(name) {
				list = changes[0].append(list, now)
				changes = changes[1:]
			}
			switch {
			case len(changes) > 0 && changes[0].name == string(name):
				if changes[0].value != nil || !changed.removed() {
					changed = stampOf(now, changes[0].value == nil)
				}
				list = attribute{name, changes[0].value, changed}.append(list)
				changes = changes[1:]
				same = rest[end:]
			case forgotten:
				changed, same = 0, rest[end:]
			}
		}
		if changed.removed() {
			removed++
		}
		rest = rest[end:]
	}
	list = append(list, same...)
	for _, c := range changes {
		list = c.append(list, now)
	}
	if removed > maxRemoved {
		list = forget(list, removed-maxRemoved)
	}
	return list
}

// append adds an attribute that was not there. The removal of one leaves nothing.
func (c change) append(list []byte, now int64) []byte {
	if c.value == nil {
		return list
	}
	return attribute{[]byte(c.name), c.value, stampOf(now, false)}.append(list)
}

// forget returns the list without its n oldest tombstones.
func forget(list []byte, n int) []byte {
	var tombstones []stamp
	for rest := list; len(rest) > 0; {
		var a attribute
		if a, rest = nextAttribute(rest); a.changed.removed() {
			tombstones = append(tombstones, a.changed)
		}
	}
	slices.SortFunc(tombstones, cmp.Compare[stamp])
	youngest := tombstones[n-1] // of those to forget
	kept := list[:0]
	for rest := list; len(rest) > 0; {
		whole := rest
		var a attribute
		a, rest = nextAttribute(rest)
		if n > 0 && a.changed.removed() && a.changed <= youngest {
			n--
			continue
		}
		kept = append(kept, whole[:len(whole)-len(rest)]...)
	}
	return kept
}
