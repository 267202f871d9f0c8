package redis

import (
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A value on the server is an envelope and a record: two letters, which say that it is one of
// ours, six bytes with the deadline in milliseconds, zero for none, and the record, which begins
// with the identifier of the write.
const (
	envelopeMark  = "K1"
	envelopeBytes = 8
	// lastDeadline is the latest that an envelope can hold, in the year 10889.
	lastDeadline = 1<<48 - 1
)

// grace is how much longer than it lives a record is kept, for a server whose clock runs ahead.
// Nobody sees it any more. While somebody watches it is longer, for whoever tells that it has expired.
const (
	grace        = 10 * time.Second
	watchedGrace = time.Minute
)

var errForeign = fmt.Errorf("%w: the value on the server was not written by this provider, or is damaged; if another program wrote it, give the caches a prefix of their own",
	jcache.ErrUndecodable)

// milliseconds returns a deadline as it is kept, rounded up. Zero: none.
func milliseconds(deadline time.Time) int64 {
	if deadline.IsZero() {
		return 0
	}
	ms := deadline.UnixMilli()
	if deadline.After(time.UnixMilli(ms)) {
		ms++
	}
	return min(max(ms, 1), lastDeadline)
}

// appendEnvelope appends what stands before a record.
func appendEnvelope(b []byte, deadline time.Time) []byte {
	b = binary.BigEndian.AppendUint64(b, uint64(milliseconds(deadline)))
	copy(b[len(b)-envelopeBytes:], envelopeMark)
	return b
}

// seal returns the value of a record.
func seal(record []byte, deadline time.Time) []byte {
	return append(appendEnvelope(make([]byte, 0, envelopeBytes+len(record)), deadline), record...)
}

// values are used again by Put, which makes one for each call.
var values = sync.Pool{New: func() any { return new(value) }}

// pooledBytes is the largest value that is kept for the next call.
const pooledBytes = 64 << 10

// A value is one that is on its way to the server.
type value struct {
	bytes []byte
	sent  int // attempts to send it
}

func newValue(record []byte, deadline time.Time) *value {
	v := values.Get().(*value)
	v.bytes, v.sent = append(appendEnvelope(v.bytes[:0], deadline), record...), 0
	return v
}

// answered is called when the server has acknowledged the value. What was sent once and acknowledged is not needed by
// the client any more; of an attempt that failed that is not known.
func (v *value) answered() {
	if v.sent == 1 && cap(v.bytes) <= pooledBytes {
		values.Put(v)
	}
}

// sealed is the value of a record as an argument. Nothing: there is no record.
func sealed(record []byte, deadline time.Time) string {
	if record == nil {
		return ""
	}
	return rueidis.BinaryString(seal(record, deadline))
}

// open returns the item in a value; live is false for one that is past its deadline.
func open(value []byte, now time.Time) (item driver.Item, live bool, err error) {
	if len(value) < envelopeBytes+driver.WriteIDBytes || string(value[:len(envelopeMark)]) != envelopeMark {
		return driver.Item{}, false, errForeign
	}
	record := value[envelopeBytes:len(value):len(value)]
	item = driver.Item{Record: record, Token: driver.Token{B: record[:driver.WriteIDBytes:driver.WriteIDBytes]}}
	if item.Deadline = deadlineIn(value); !item.Deadline.IsZero() {
		if !now.Before(item.Deadline) {
			return driver.Item{}, false, nil
		}
	}
	return item, true, nil
}

// deadlineIn returns the deadline in an envelope. Zero: there is none.
func deadlineIn(envelope []byte) time.Time {
	if ms := binary.BigEndian.Uint64(envelope) & lastDeadline; ms != 0 {
		return time.UnixMilli(int64(ms))
	}
	return time.Time{}
}

// life is for how many milliseconds the server keeps a record. Zero: for ever.
func life(deadline, now time.Time, grace time.Duration) int64 {
	if deadline.IsZero() {
		return 0
	}
	return max(milliseconds(deadline)-now.UnixMilli()+grace.Milliseconds(), 1)
}

// text is a number as the server takes it.
func text(n int64) string { return strconv.FormatInt(n, 10) }
