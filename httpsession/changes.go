package httpsession

import (
	"slices"
	"strings"
)

// A change sets an attribute to an encoded value or, with a nil value, removes it.
type change struct {
	name  string
	value []byte
}

// changes are those of a request that are not stored yet, of which there is at most one for
// each name.
type changes struct {
	list    []change
	index   map[string]int // where they are in list, once there are many
	bytes   int32          // of those that set something, as they will be stored
	counted int32          // how many of list are in freed
	freed   int32          // bytes of the attributes that they replace
}

// fewChanges are found faster without an index.
const fewChanges = 32

// at returns where the change of an attribute is, or -1.
func (c *changes) at(name string) int {
	if len(c.list) <= fewChanges {
		return slices.IndexFunc(c.list, func(c change) bool { return c.name == name })
	}
	if c.index == nil {
		c.index = make(map[string]int, 2*len(c.list))
		for i := range c.list {
			c.index[c.list[i].name] = i
		}
	}
	if i, ok := c.index[name]; ok {
		return i
	}
	return -1
}

// find returns the value that an attribute was given, nil if it was removed. ok is false if
// there is no change of it.
func (c *changes) find(name string) (value []byte, ok bool) {
	if len(c.list) == 0 {
		return nil, false
	}
	i := c.at(name)
	if i < 0 {
		return nil, false
	}
	return c.list[i].value, true
}

// put adds a change, in the place of an earlier one of the same attribute.
func (c *changes) put(new change) {
	c.bytes = int32(c.sizeWith(new))
	if i := c.at(new.name); i >= 0 {
		c.list[i] = new
		return
	}
	c.list = append(c.list, new)
	if c.index != nil {
		c.index[new.name] = len(c.list) - 1
	}
}

// sizeWith is how many bytes those that set something will be with one more.
func (c *changes) sizeWith(new change) int {
	size := int(c.bytes) + new.size()
	if i := c.at(new.name); i >= 0 {
		size -= c.list[i].size()
	}
	return size
}

// freedWith is how many bytes of stored attributes the changes take away with one more. What
// a removal leaves is not counted.
func (c *changes) freedWith(new change, stored func(name string) int) int {
	for ; int(c.counted) < len(c.list); c.counted++ {
		c.freed += int32(stored(c.list[c.counted].name))
	}
	if c.at(new.name) >= 0 {
		return int(c.freed)
	}
	return int(c.freed) + stored(new.name)
}

// size is the room that a change takes in a record.
func (c change) size() int {
	if c.value == nil {
		return 0
	}
	return attributeSize(len(c.name), len(c.value))
}

// sorted returns the changes in the order of their names.
func (c *changes) sorted() []change {
	byName := func(a, b change) int { return strings.Compare(a.name, b.name) }
	if !slices.IsSortedFunc(c.list, byName) {
		slices.SortFunc(c.list, byName)
		c.index, c.counted, c.freed = nil, 0, 0
	}
	return c.list
}

// with returns the changes with one more, in order, and leaves c as it is.
func (c *changes) with(one change) []change {
	list := slices.Clone(c.sorted())
	i, found := slices.BinarySearchFunc(list, one.name, func(c change, name string) int { return strings.Compare(c.name, name) })
	if found {
		list[i] = one
		return list
	}
	return slices.Insert(list, i, one)
}

// names returns the names of the attributes that a record has with the changes, in order.
func (c *changes) names(r *record) []string {
	var text strings.Builder // of all names, which share it
	var ends []int
	add := func(name []byte) {
		text.Write(name)
		ends = append(ends, text.Len())
	}
	set := func(c change) {
		if c.value != nil {
			text.WriteString(c.name)
			ends = append(ends, text.Len())
		}
	}
	changed := c.sorted()
	for rest := r.attributes; len(rest) > 0; {
		var a attribute
		a, rest = nextAttribute(rest)
		for len(changed) > 0 && changed[0].name < string(a.name) {
			set(changed[0])
			changed = changed[1:]
		}
		if len(changed) > 0 && changed[0].name == string(a.name) {
			set(changed[0])
			changed = changed[1:]
		} else if !a.changed.removed() {
			add(a.name)
		}
	}
	for _, c := range changed {
		set(c)
	}
	if len(ends) == 0 {
		return nil
	}
	names, all, from := make([]string, len(ends)), text.String(), 0
	for i, end := range ends {
		names[i], from = all[from:end], end
	}
	return names
}
