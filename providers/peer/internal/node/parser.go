package node

import (
	"bytes"
	"encoding/binary"
	"unsafe"
)

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

func appendRecord(b, record []byte) []byte {
	if record == nil {
		return append(b, 0)
	}
	return append(binary.AppendUvarint(b, uint64(len(record))+1), record...)
}

func appendBool(b []byte, v bool) []byte {
	if v {
		return append(b, 1)
	}
	return append(b, 0)
}

// A parser reads what the functions above appended. Once something is wrong it only
// returns zeros, and bad says so. What follows the known fields is of a later version.
type parser struct {
	b   []byte
	bad bool
}

func (p *parser) uint(most uint64) uint64 {
	v, n := binary.Uvarint(p.b)
	if n <= 0 || v > most {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) int() int64 {
	v, n := binary.Varint(p.b)
	if n <= 0 {
		p.bad, p.b = true, nil
		return 0
	}
	p.b = p.b[n:]
	return v
}

func (p *parser) byte() byte {
	if len(p.b) == 0 {
		p.bad = true
		return 0
	}
	v := p.b[0]
	p.b = p.b[1:]
	return v
}

// take returns the next n bytes without a copy.
func (p *parser) take(n uint64) []byte {
	if n > uint64(len(p.b)) {
		p.bad, p.b = true, nil
		return nil
	}
	v := p.b[:n:n]
	p.b = p.b[n:]
	return v
}

// view returns a text that is a part of the message.
func (p *parser) view() string {
	text := p.take(p.uint(1<<32 - 1))
	return unsafe.String(unsafe.SliceData(text), len(text))
}

func (p *parser) text() string { return string(p.take(p.uint(1<<32 - 1))) }

// alias returns a record that is a part of the message, nil if there is none.
func (p *parser) alias() []byte {
	n := p.uint(1 << 32)
	if n == 0 {
		return nil
	}
	return p.take(n - 1)
}

func (p *parser) record() []byte { return bytes.Clone(p.alias()) }
