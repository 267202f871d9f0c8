package codec

import (
	"reflect"
	"time"
)

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[time.Duration]()
)

const farZone = "a time whose zone is more than 546 hours from UTC cannot be stored; use t.UTC()"

// time plans moments as time.Time.MarshalBinary writes them: nanoseconds, any year, and
// the difference from UTC but not the zone's name; nor the reading of the monotonic
// clock, which means nothing elsewhere.
func (m *planner) time(p *plan, as role) {
	p.encode = func(dst []byte, v reflect.Value, _ int) ([]byte, error) {
		t := v.Interface().(time.Time)
		if as != asValue && t != time.Unix(t.Unix(), int64(t.Nanosecond())).UTC() {
			return nil, refuse("a time in a key must be in UTC and without a reading of the monotonic clock, or equal moments would be different keys; use t.Round(0).UTC()")
		}
		data, err := t.MarshalBinary()
		if err != nil {
			return nil, refuse(farZone)
		}
		return append(appendHead(dst, majorBytes, uint64(len(data))), data...), nil
	}
	p.decode = func(data []byte, v reflect.Value, _ int) ([]byte, error) {
		h, rest, err := readValueHead(data)
		if err != nil {
			return nil, err
		}
		if h.major() != majorBytes {
			return nil, not(h, v)
		}
		t := v.Addr().Interface().(*time.Time)
		if t.UnmarshalBinary(rest[:h.n]) != nil {
			return nil, not(h, v)
		}
		return rest[h.n:], nil
	}
}
