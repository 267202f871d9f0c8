package node

import (
	"encoding/binary"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A request on the wire: partition, lineage, kind, operation, token, ttl, the time that is left,
// cache, key, record, processor, arguments. Lengths and numbers are varints; a record's
// length is one more than it is, and zero for none.
func appendRequest(b []byte, partition int, req *part.Request, left time.Duration) []byte {
	b = binary.AppendUvarint(b, uint64(partition))
	b = binary.AppendUvarint(b, req.Lineage)
	b = append(b, byte(req.Kind))
	b = binary.AppendUvarint(b, req.Op.Client)
	b = binary.AppendUvarint(b, req.Op.Seq)
	b = binary.AppendUvarint(b, uint64(req.Token))
	b = binary.AppendVarint(b, int64(req.TTL))
	b = binary.AppendVarint(b, req.Until)
	b = binary.AppendUvarint(b, uint64(max(0, left)))
	b = appendText(b, req.Cache)
	b = appendText(b, req.Key)
	b = appendRecord(b, req.Record)
	b = appendText(b, req.Processor)
	return appendRecord(b, req.Args)
}

// parseRequest reads a request, which is a view of b.
func parseRequest(b []byte) (partition int, req part.Request, left time.Duration, err error) {
	p := parser{b: b}
	partition = int(p.uint(1 << 20))
	req = part.Request{Lineage: p.uint(1<<64 - 1), Kind: part.Kind(p.byte()),
		Op:    part.OpID{Client: p.uint(1<<64 - 1), Seq: p.uint(1<<64 - 1)},
		Token: part.Version(p.uint(1<<64 - 1)), TTL: time.Duration(p.int()), Until: p.int()}
	left = time.Duration(p.uint(1<<63 - 1))
	req.Cache, req.Key = p.view(), p.view()
	req.Record = p.alias()
	req.Processor, req.Args = p.view(), p.alias()
	if p.bad || req.Kind > part.Process {
		return 0, part.Request{}, 0, errMalformed
	}
	return partition, req, min(left, time.Hour), nil
}

const (
	flagFound = 1 << iota
	flagRepeated
	flagElsewhere // under another lineage
)

func appendResult(b []byte, r *part.Result) []byte {
	flags := byte(0)
	if r.Present.OK {
		flags |= flagFound
	}
	if r.Repeated {
		flags |= flagRepeated
	}
	if r.Lineage != 0 {
		flags |= flagElsewhere
	}
	b = append(b, byte(r.Status), flags)
	if r.Present.OK {
		b = binary.AppendUvarint(b, uint64(r.Present.Version))
		b = binary.AppendVarint(b, int64(r.Present.Left))
		b = binary.AppendVarint(b, r.Present.Until)
		b = appendRecord(b, r.Present.Record)
	}
	b = binary.AppendUvarint(b, uint64(r.Version))
	b = binary.AppendUvarint(b, uint64(r.Copies))
	b = appendRecord(b, r.Output)
	b = binary.AppendUvarint(b, r.Epoch.Term)
	b = binary.AppendUvarint(b, r.Epoch.Version)
	if r.Lineage != 0 {
		b = binary.AppendUvarint(b, r.Lineage)
	}
	return b
}

// parseResult reads a result, whose record is a part of b.
func parseResult(b []byte) (part.Result, error) {
	p := parser{b: b}
	r := part.Result{Status: part.Status(p.byte())}
	flags := p.byte()
	r.Repeated = flags&flagRepeated != 0
	if flags&flagFound != 0 {
		r.Present = part.Found{OK: true, Version: part.Version(p.uint(1<<64 - 1)), Left: time.Duration(p.int()), Until: p.int(), Record: p.alias()}
	}
	r.Version = part.Version(p.uint(1<<64 - 1))
	r.Copies = int(p.uint(1 << 20))
	r.Output = p.record()
	r.Epoch = topology.Stamp{Term: p.uint(1<<64 - 1), Version: p.uint(1<<64 - 1)}
	if flags&flagElsewhere != 0 {
		r.Lineage = p.uint(1<<64 - 1)
	}
	if p.bad || r.Status >= part.Wait {
		return part.Result{}, errMalformed
	}
	return r, nil
}
