package memcached

import (
	"encoding/binary"
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache"
)

// An envelope is what is stored under a key:
//
//	format      1 byte: envelopePlain or envelopeHashed
//	stamp       8 bytes: that of the generation under which it was written
//	key         only in envelopeHashed: its length as a uvarint, then the key
//	record      the rest
//
// opened envelopes share the bytes they were opened from.
type envelope struct {
	stamp  uint64
	key    []byte // nil in envelopePlain
	record []byte
}

const (
	envelopePlain  = 0x01
	envelopeHashed = 0x02

	plainBytes = 1 + 8 // an envelope without its key and record
)

var errEnvelope = fmt.Errorf("%w: the item on the server was not written by this provider, or is damaged", jcache.ErrUndecodable)

// seal puts a record into an envelope. key is empty unless it has to be kept.
func seal(stamp uint64, key string, record []byte) []byte {
	b := make([]byte, 0, plainBytes+binary.MaxVarintLen32+len(key)+len(record))
	if key == "" {
		b = append(b, envelopePlain)
		b = binary.BigEndian.AppendUint64(b, stamp)
	} else {
		b = append(b, envelopeHashed)
		b = binary.BigEndian.AppendUint64(b, stamp)
		b = binary.AppendUvarint(b, uint64(len(key)))
		b = append(b, key...)
	}
	return append(b, record...)
}

// open takes a record out of its envelope.
func open(b []byte) (envelope, error) {
	if len(b) < plainBytes || b[0] != envelopePlain && b[0] != envelopeHashed {
		return envelope{}, errEnvelope
	}
	e := envelope{stamp: binary.BigEndian.Uint64(b[1:plainBytes]), record: b[plainBytes:]}
	if b[0] == envelopeHashed {
		n, size := binary.Uvarint(e.record)
		if size <= 0 || n == 0 || n > uint64(len(e.record)-size) {
			return envelope{}, errEnvelope
		}
		end := size + int(n)
		e.key, e.record = e.record[size:end:end], e.record[end:]
	}
	return e, nil
}
