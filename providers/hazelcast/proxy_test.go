package hazelcast_test

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/keepsake-cache/keepsake/providers/hazelcast"
)

// A proxy stands between a client with a single connection and a member. It counts the
// client's requests, and it can lose their answers.
type proxy struct {
	addr     string
	target   string
	listener net.Listener

	mu     sync.Mutex
	counts map[string]int
	fates  map[string]fate // what happens to the next request of a kind
	conns  map[net.Conn]bool
	out    bool   // it lets nobody through
	mute   bool   // it takes new connections and says nothing on them
	muted  int    // how many there were
	hold   string // the kind of requests whose answers it keeps; empty: of none
	kept   []func()
}

// A fate is what happens to a request.
type fate uint8

const (
	delivered  fate = iota
	unanswered      // carried out, but its answer is swallowed
	cut             // carried out, then the connection breaks
	refused         // the connection breaks before the request is passed on
	held            // carried out, but its answer is kept for later
)

// The requests that the provider sends, by their types in Hazelcast's open binary
// protocol. All other types are the client's own business.
var requestNames = map[uint32]string{
	0x010100: "put", 0x010200: "get", 0x010300: "remove", 0x010500: "replaceIfSame", 0x010800: "removeIfSame",
	0x010900: "delete", 0x010e00: "putIfAbsent", 0x010f00: "set", 0x012300: "getAll", 0x011100: "tryLock", 0x014300: "setTTL",
}

func startProxy(t *testing.T, target string, wrap func(net.Listener) net.Listener) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{addr: l.Addr().String(), target: target, listener: l, counts: map[string]int{}, fates: map[string]fate{}, conns: map[net.Conn]bool{}}
	if wrap != nil {
		p.listener = wrap(l)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			client, err := p.listener.Accept()
			if err != nil {
				return
			}
			running.Go(func() { p.serve(client) })
		}
	})
	t.Cleanup(func() {
		_ = l.Close()
		p.outage(true)
		running.Wait()
	})
	return p
}

// connectThrough connects with a single connection through the proxy. More elements of
// network can be given.
func connectThrough(t *testing.T, p *proxy, opts hazelcast.Options, network ...string) *hazelcast.Provider {
	t.Helper()
	opts.ClientFile = filepath.Join(t.TempDir(), "hazelcast-client.xml")
	must(t, os.WriteFile(opts.ClientFile, []byte(`<hazelcast-client xmlns="http://www.hazelcast.com/schema/client-config">
		<network>
			<cluster-members><address>`+p.addr+`</address></cluster-members>
			<smart-routing>false</smart-routing>`+strings.Join(network, "")+`
		</network>
	</hazelcast-client>`), 0o600))
	return connect(t, opts)
}

// requests runs do and returns how many requests it took, by their names.
func (p *proxy) requests(do func()) map[string]int {
	p.mu.Lock()
	clear(p.counts)
	p.mu.Unlock()
	do()
	p.mu.Lock()
	defer p.mu.Unlock()
	counts := map[string]int{}
	for name, n := range p.counts {
		counts[name] = n
	}
	return counts
}

// next sets the fate of the next request of that name.
func (p *proxy) next(name string, f fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fates[name] = f
}

func (p *proxy) arrived(name string) fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.counts[name]++
	f := p.fates[name]
	delete(p.fates, name)
	if f == delivered && name == p.hold {
		return held
	}
	return f
}

// holding keeps the answers to all requests of that name until release delivers them.
func (p *proxy) holding(name string) (release func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.hold = name
	return func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		for _, deliver := range p.kept {
			deliver()
		}
		p.hold, p.kept = "", nil
	}
}

// keep reports whether an answer is delivered later.
func (p *proxy) keep(deliver func()) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.hold == "" {
		return false
	}
	p.kept = append(p.kept, deliver)
	return true
}

// outage breaks all connections, and lets nobody in until it is over.
func (p *proxy) outage(out bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.out = out
	for conn := range p.conns {
		_ = conn.Close()
	}
}

// silence makes new connections silent for as long as they last.
func (p *proxy) silence(mute bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute = mute
}

func (p *proxy) silenced() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.mute {
		p.muted++
	}
	return p.mute
}

func (p *proxy) silent() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.muted
}

// track keeps a connection that must be closed with the proxy.
func (p *proxy) track(c net.Conn, open bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if open && !p.out {
		p.conns[c] = true
	} else {
		delete(p.conns, c)
		_ = c.Close()
	}
}

// serve passes messages in both directions until one side ends.
func (p *proxy) serve(client net.Conn) {
	p.track(client, true)
	defer p.track(client, false)
	if p.silenced() {
		_, _ = io.Copy(io.Discard, client)
		return
	}
	member, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	p.track(member, true)
	defer p.track(member, false)

	var mu sync.Mutex
	lost := map[uint64]fate{} // by the correlation id of requests
	answered := make(chan struct{})
	go func() {
		defer close(answered)
		defer client.Close() //nolint:errcheck // it may be closed already
		answers := bufio.NewReader(member)
		for {
			m, err := readMessage(answers)
			if err != nil {
				return
			}
			mu.Lock()
			f := lost[m.correlation]
			delete(lost, m.correlation)
			mu.Unlock()
			if f == cut {
				return
			}
			if f == held && p.keep(func() { _, _ = client.Write(m.raw) }) { // the client may be gone then
				continue
			}
			if f != unanswered {
				if _, err := client.Write(m.raw); err != nil {
					return
				}
			}
		}
	}()
	requests := bufio.NewReader(client)
	if _, err := io.CopyN(member, requests, 3); err == nil { // the protocol's name
		for {
			m, err := readMessage(requests)
			if err != nil {
				break
			}
			if name, ok := requestNames[m.kind]; ok {
				f := p.arrived(name)
				if f == refused {
					break
				}
				mu.Lock()
				lost[m.correlation] = f
				mu.Unlock()
			}
			if _, err := member.Write(m.raw); err != nil {
				break
			}
		}
	}
	_ = member.Close()
	<-answered
}

// A message is a request or an answer: frames, of which the first has the header.
type message struct {
	kind        uint32
	correlation uint64
	raw         []byte
}

func readMessage(r *bufio.Reader) (message, error) {
	const frameHeader, header, final = 6, 12, 1 << 13
	var m message
	for {
		head := make([]byte, frameHeader)
		if _, err := io.ReadFull(r, head); err != nil {
			return m, err
		}
		length, flags := binary.LittleEndian.Uint32(head), binary.LittleEndian.Uint16(head[4:])
		if length < frameHeader || length > 1<<24 {
			return m, fmt.Errorf("a frame of %d bytes", length)
		}
		start := len(m.raw) + frameHeader
		m.raw = append(append(m.raw, head...), make([]byte, length-frameHeader)...)
		if _, err := io.ReadFull(r, m.raw[start:]); err != nil {
			return m, err
		}
		if start == frameHeader && len(m.raw) >= frameHeader+header {
			m.kind, m.correlation = binary.LittleEndian.Uint32(m.raw[start:]), binary.LittleEndian.Uint64(m.raw[start+4:])
		}
		if flags&final != 0 {
			return m, nil
		}
	}
}
