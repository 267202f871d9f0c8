package node

import (
	"context"
	"encoding/binary"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

// A Place is where in a partition a scan goes on: at the beginning if Cursor is zero.
type Place struct {
	Partition int
	Cursor    uint64
}

// A Page is what a scan found at a place.
type Page struct {
	Partition int
	Items     []part.Item
	// Next is the cursor of the rest, zero if there is none.
	Next uint64
	// Size is the number of records of the whole partition.
	Size int
}

// Scan reads records of a cache at some of the places that are left to read, at least
// one: those of the partitions that have the same primary as the first one, until about
// limit records are found. With a limit of zero it only counts. It retries like Do.
func (n *Node) Scan(ctx context.Context, cache string, places []Place, limit int) ([]Page, error) {
	ctx, cancel := context.WithTimeout(ctx, defaultTimeout)
	defer cancel()
	var last error
	for {
		if err := n.over(ctx); err != nil {
			return nil, ended(false, err, last)
		}
		l, changed := n.now()
		last = errNoMember
		if l != nil {
			pages, err := l.askScan(ctx, cache, places, limit)
			if err == nil && len(pages) > 0 {
				return pages, nil
			}
			last = err
		}
		await(ctx, changed)
	}
}

func (l *life) askScan(ctx context.Context, cache string, places []Place, limit int) ([]Page, error) {
	c := l.config.Load()
	if c == nil {
		return nil, errNoMember
	}
	if len(c.Partitions[places[0].Partition].Held) > 0 {
		return nil, errHeld
	}
	primary := c.Partitions[places[0].Partition].Primary
	if primary == l.self.ID {
		return l.member.scan(c.Lineage, cache, places, limit), nil
	}
	body := binary.AppendUvarint(nil, c.Lineage)
	body = appendText(body, cache)
	body = binary.AppendUvarint(body, uint64(limit))
	for _, p := range places {
		if c.Partitions[p.Partition].Primary == primary {
			body = binary.AppendUvarint(body, uint64(p.Partition))
			body = binary.AppendUvarint(body, p.Cursor)
		}
	}
	answer, err := l.call(ctx, primary, typeScan, body)
	if err != nil {
		return nil, err
	}
	pages, err := parsePages(answer)
	if len(pages) == 0 {
		l.doubt(primary)
	}
	return pages, err
}

// maxScan bounds the bytes of the records that a scan returns, if that are more than
// those of one page.
const maxScan = 1 << 20

// scan reads at those places of which this process is the primary, in a lineage.
func (m *membership) scan(lineage uint64, cache string, places []Place, limit int) (pages []Page) {
	found, bytes := 0, 0
	for _, p := range places {
		page, ok := m.slots[p.Partition].scan(lineage, cache, p.Cursor, limit)
		if !ok {
			continue
		}
		size := 0
		for i := range page.Items {
			size += len(page.Items[i].Key) + len(page.Items[i].Record)
		}
		if len(pages) > 0 && bytes+size > maxScan {
			break
		}
		pages = append(pages, page)
		bytes += size
		if found += len(page.Items); limit > 0 && found >= limit {
			break
		}
	}
	return pages
}

// scan reads a page, in which large records are few.
func (s *slot) scan(lineage uint64, cache string, cursor uint64, limit int) (Page, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.replica.Shares(lineage) {
		return Page{}, false
	}
	now := s.now()
	size, status := s.replica.Size(now, cache)
	page := Page{Partition: s.number, Size: size}
	if limit == 0 || size == 0 || status != part.OK {
		return page, status == part.OK
	}
	for {
		page.Items, page.Next, _ = s.replica.Scan(now, cache, cursor, limit)
		bytes := 0
		for i := range page.Items {
			bytes += len(page.Items[i].Record)
		}
		if bytes <= maxScan || limit == 1 {
			return page, true
		}
		limit = max(1, limit/4)
	}
}

func (m *membership) takeScan(_ *wire.Hello, body []byte, r wire.Responder) {
	p := parser{b: body}
	lineage := p.uint(1<<64 - 1)
	cache, limit := p.text(), int(p.uint(1<<16))
	var places []Place
	for !p.bad && len(p.b) > 0 {
		place := Place{int(p.uint(1 << 20)), p.uint(1<<64 - 1)}
		if place.Partition < len(m.slots) && len(places) < len(m.slots) {
			places = append(places, place)
		}
	}
	var answer []byte
	if !p.bad {
		answer = appendPages(nil, m.scan(lineage, cache, places, limit))
	}
	_ = r.Reply(answer) // a page is not too large
}

func appendPages(b []byte, pages []Page) []byte {
	for i := range pages {
		page := &pages[i]
		b = binary.AppendUvarint(b, uint64(page.Partition))
		b = binary.AppendUvarint(b, page.Next)
		b = binary.AppendUvarint(b, uint64(page.Size))
		b = binary.AppendUvarint(b, uint64(len(page.Items)))
		for i := range page.Items {
			it := &page.Items[i]
			b = appendText(b, it.Key)
			b = binary.AppendUvarint(b, uint64(it.Version))
			b = binary.AppendVarint(b, int64(it.Left))
			b = binary.AppendVarint(b, it.Until)
			b = appendRecord(b, it.Record)
		}
	}
	return b
}

func parsePages(b []byte) (pages []Page, err error) {
	p := parser{b: b}
	for len(p.b) > 0 {
		page := Page{Partition: int(p.uint(1 << 20)), Next: p.uint(1<<64 - 1), Size: int(p.uint(1 << 62))}
		n := p.uint(uint64(len(p.b)))
		for range n {
			page.Items = append(page.Items, part.Item{Key: p.text(), Version: part.Version(p.uint(1<<64 - 1)),
				Left: time.Duration(p.int()), Until: p.int(), Record: p.record()})
		}
		if p.bad {
			return nil, errMalformed
		}
		pages = append(pages, page)
	}
	return pages, nil
}
