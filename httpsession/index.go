package httpsession

import (
	"hash/maphash"
	"math"
)

// An index finds the attributes of a long list without going through it each time. It is
// made when a record is read the third time: most requests read one attribute or two. Who
// reads all of them in their order, which is that of their names, needs none: the next one
// is where the last one ended.
type index struct {
	reads int
	next  int      // where the attribute that was found last ended
	slots []uint32 // where attributes begin, plus one, at the hash of their names; zero: none
}

const (
	readsBefore = 2             // an index is made
	longList    = 512           // bytes; less is read as fast without an index
	hugeList    = math.MaxInt32 // more has no index
)

var indexSeed = maphash.MakeSeed()

// attribute is that of a record, which must be the same each time.
func (x *index) attribute(r *record, name string) ([]byte, bool) {
	from := x.position(r.attributes, name)
	if from < 0 {
		return nil, false
	}
	one := r.attributes[from:]
	_, value, end := measure(one)
	x.next = from + end
	return one[value:end:end], !stampIn(one).removed()
}

// position returns where the attribute of a name begins, or -1.
func (x *index) position(list []byte, name string) int {
	if x.next < len(list) {
		if at, value, _ := measure(list[x.next:]); string(list[x.next+at:x.next+value]) == name {
			return x.next
		}
	}
	if x.slots == nil {
		if x.reads++; x.reads <= readsBefore || len(list) < longList || len(list) >= hugeList {
			return position(list, name)
		}
		x.make(list)
	}
	mask := uint64(len(x.slots) - 1)
	for i := maphash.String(indexSeed, name) & mask; x.slots[i] != 0; i = (i + 1) & mask {
		from := int(x.slots[i] - 1)
		if at, value, _ := measure(list[from:]); string(list[from+at:from+value]) == name {
			return from
		}
	}
	return -1
}

func (x *index) make(list []byte) {
	n := 0
	for rest := list; len(rest) > 0; n++ {
		_, _, end := measure(rest)
		rest = rest[end:]
	}
	size := 2
	for size < 2*n {
		size *= 2
	}
	x.slots = make([]uint32, size)
	mask := uint64(size - 1)
	for from := 0; from < len(list); {
		at, value, end := measure(list[from:])
		i := maphash.Bytes(indexSeed, list[from+at:from+value]) & mask
		for x.slots[i] != 0 {
			i = (i + 1) & mask
		}
		x.slots[i] = uint32(from + 1)
		from += end
	}
}
