package conformance

import (
	"context"
	"encoding/json"
	"hash/fnv"
	"math/bits"
	"net"
	"slices"
	"sync"
	"testing"
	"time"
)

// A wireServer is a small server of records, for drivers that have a network to get wrong.
// It answers each line of JSON with another one. Like Redis it keeps a record for a number
// of milliseconds, and its scan goes through a table that grows and shrinks meanwhile.
type wireServer struct {
	addr string

	mu       sync.Mutex
	version  uint64
	tables   map[string]*wireTable
	watchers map[chan wireAnswer]string
}

// A wireRequest is what a client sends.
type wireRequest struct {
	Op     string
	Cache  string
	Key    []byte   `json:",omitempty"`
	Keys   [][]byte `json:",omitempty"`
	Record []byte   `json:",omitempty"` // nil removes
	Life   int64    `json:",omitempty"` // milliseconds; 0: it does not expire
	Token  uint64   `json:",omitempty"`
	Cursor uint64   `json:",omitempty"`
}

// A wireAnswer is what the server sends: an answer, or an event.
type wireAnswer struct {
	Items   []wireItem `json:",omitempty"`
	Swapped bool       `json:",omitempty"`
	Cursor  uint64     `json:",omitempty"`
	Size    int        `json:",omitempty"`
	Cleared bool       `json:",omitempty"`
}

type wireItem struct {
	Key    []byte
	Record []byte // nil in the event of a removal
	Old    []byte
	Token  uint64
}

// startWireServer serves until the test ends.
func startWireServer(t *testing.T) *wireServer {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(context.Background(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &wireServer{addr: l.Addr().String(), tables: make(map[string]*wireTable), watchers: make(map[chan wireAnswer]string)}
	var running sync.WaitGroup
	var mu sync.Mutex
	conns := make(map[net.Conn]bool)
	running.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			mu.Lock()
			conns[c] = true
			mu.Unlock()
			running.Go(func() {
				s.serve(c)
				_ = c.Close()
				mu.Lock()
				defer mu.Unlock()
				delete(conns, c)
			})
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		mu.Lock()
		for c := range conns {
			_ = c.Close()
		}
		mu.Unlock()
		running.Wait()
	})
	return s
}

// serve answers one client until it hangs up.
func (s *wireServer) serve(c net.Conn) {
	in, out := json.NewDecoder(c), json.NewEncoder(c)
	for {
		var r wireRequest
		if in.Decode(&r) != nil {
			return
		}
		if r.Op == "watch" {
			s.tell(r.Cache, c, out)
			return
		}
		if out.Encode(s.answer(r)) != nil {
			return
		}
	}
}

// tell sends events until the client hangs up. The first line says that it begins.
func (s *wireServer) tell(cache string, c net.Conn, out *json.Encoder) {
	events := make(chan wireAnswer, 100_000)
	events <- wireAnswer{}
	s.mu.Lock()
	s.watchers[events] = cache
	s.mu.Unlock()
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		_, _ = c.Read(make([]byte, 1)) // a client that watches sends nothing
	}()
	for broken := false; !broken; {
		select {
		case e := <-events:
			broken = out.Encode(e) != nil
		case <-gone:
			broken = true
		}
	}
	s.mu.Lock()
	delete(s.watchers, events)
	s.mu.Unlock()
	_ = c.Close()
	<-gone
}

func (s *wireServer) answer(r wireRequest) wireAnswer {
	s.mu.Lock()
	defer s.mu.Unlock()
	table := s.tables[r.Cache]
	if table == nil {
		table = &wireTable{buckets: make([][]*wireEntry, 4)}
		s.tables[r.Cache] = table
	}
	var present []wireItem
	entry := table.find(string(r.Key))
	if entry != nil {
		present = []wireItem{entry.item()}
	}
	switch r.Op {
	case "get":
		return wireAnswer{Items: present}
	case "getBatch":
		var items []wireItem
		for _, k := range r.Keys {
			if e := table.find(string(k)); e != nil {
				items = append(items, e.item())
			}
		}
		return wireAnswer{Items: items}
	case "put", "exchange", "delete":
		s.store(table, r)
		return wireAnswer{Items: present}
	case "force":
		s.store(table, r)
		return wireAnswer{Swapped: true}
	case "swap":
		if entry != nil && entry.token != r.Token || entry == nil && r.Token != 0 {
			return wireAnswer{Items: present}
		}
		s.store(table, r)
		return wireAnswer{Swapped: true}
	case "scan":
		items, next := table.scan(r.Cursor)
		return wireAnswer{Items: items, Cursor: next}
	case "clear":
		if r.Cache == "*" {
			clear(s.tables)
		}
		delete(s.tables, r.Cache)
		s.publish(r.Cache, wireAnswer{Cleared: true})
	case "size":
		size := 0
		for name, t := range s.tables {
			if name == r.Cache || r.Cache == "*" {
				size += t.count
			}
		}
		return wireAnswer{Size: size}
	}
	return wireAnswer{}
}

// store stores or removes a record, under a version that no other has had, and tells the
// watchers; s.mu is held.
func (s *wireServer) store(table *wireTable, r wireRequest) {
	event := wireItem{Key: r.Key, Record: r.Record}
	old := table.remove(string(r.Key))
	if old != nil {
		event.Old = old.record
	}
	if r.Record != nil {
		s.version++
		e := &wireEntry{key: string(r.Key), record: r.Record, token: s.version}
		if r.Life > 0 {
			e.ends = time.Now().Add(time.Duration(r.Life) * time.Millisecond)
		}
		table.add(e)
	} else if old == nil {
		return
	}
	s.publish(r.Cache, wireAnswer{Items: []wireItem{event}})
}

// publish tells the watchers of a cache; s.mu is held.
func (s *wireServer) publish(cache string, event wireAnswer) {
	for events, of := range s.watchers {
		if of == cache {
			events <- event
		}
	}
}

// A wireTable is a hash table whose buckets can be scanned while it changes its size, by
// cursors that count from the highest bit, as Redis does. A scan passes every key that
// stays, and some twice.
type wireTable struct {
	buckets [][]*wireEntry
	count   int
}

type wireEntry struct {
	key    string
	record []byte
	token  uint64
	ends   time.Time
}

func (e *wireEntry) item() wireItem {
	return wireItem{Key: []byte(e.key), Record: e.record, Token: e.token}
}

func (e *wireEntry) dead() bool { return !e.ends.IsZero() && !time.Now().Before(e.ends) }

func (t *wireTable) bucket(key string) *[]*wireEntry {
	h := fnv.New64a()
	_, _ = h.Write([]byte(key))
	return &t.buckets[h.Sum64()%uint64(len(t.buckets))]
}

// find returns a live entry, or nil.
func (t *wireTable) find(key string) *wireEntry {
	for _, e := range *t.bucket(key) {
		if e.key == key {
			if e.dead() {
				t.remove(key)
				return nil
			}
			return e
		}
	}
	return nil
}

func (t *wireTable) add(e *wireEntry) {
	b := t.bucket(e.key)
	*b = append(*b, e)
	t.count++
	if t.count > len(t.buckets) {
		t.resize(2 * len(t.buckets))
	}
}

func (t *wireTable) remove(key string) *wireEntry {
	b := t.bucket(key)
	i := slices.IndexFunc(*b, func(e *wireEntry) bool { return e.key == key })
	if i < 0 {
		return nil
	}
	e := (*b)[i]
	*b = slices.Delete(*b, i, i+1)
	t.count--
	if size := len(t.buckets) / 2; size >= 4 && t.count < size/4 {
		for size > 4 && t.count <= size/2 {
			size /= 2
		}
		t.resize(size)
	}
	if e.dead() {
		return nil
	}
	return e
}

func (t *wireTable) resize(size int) {
	old := t.buckets
	t.buckets = make([][]*wireEntry, size)
	for _, entries := range old {
		for _, e := range entries {
			b := t.bucket(e.key)
			*b = append(*b, e)
		}
	}
}

// scan returns some ten live entries, and where to go on; zero at the end.
func (t *wireTable) scan(cursor uint64) (items []wireItem, next uint64) {
	for {
		mask := uint64(len(t.buckets) - 1)
		for _, e := range t.buckets[cursor&mask] {
			if !e.dead() {
				items = append(items, e.item())
			}
		}
		cursor = bits.Reverse64(bits.Reverse64(cursor|^mask) + 1)
		if cursor == 0 || len(items) >= 10 {
			return items, cursor
		}
	}
}
