package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"io"
	"net"
)

// The echo is the least that an answer over TCP costs: a request says how long it is and
// how long its answer is, and every caller has a connection of its own.
type echo struct{ listener net.Listener }

const echoHead = 8

func serveEcho(context.Context, []byte) (service, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for c, err := l.Accept(); err == nil; c, err = l.Accept() {
			go answerEcho(c)
		}
	}()
	return echo{l}, nil
}

func (e echo) addr() string                                 { return e.listener.Addr().String() }
func (e echo) handle(context.Context, request) (any, error) { return nil, errRequest }
func (e echo) close()                                       { _ = e.listener.Close() } // the process ends

func answerEcho(c net.Conn) {
	defer c.Close() //nolint:errcheck // its caller is gone
	r, buf := bufio.NewReader(c), make([]byte, 64<<10)
	for {
		if _, err := io.ReadFull(r, buf[:echoHead]); err != nil {
			return
		}
		asked, wanted := binary.BigEndian.Uint32(buf), binary.BigEndian.Uint32(buf[4:])
		if _, err := r.Discard(int(asked)); err != nil {
			return
		}
		if _, err := c.Write(buf[:wanted]); err != nil {
			return
		}
	}
}

// echoStore sends as many bytes as a store would, and gets as many back.
type echoStore struct {
	anywhere
	conns [mostCallers]net.Conn
	bufs  [mostCallers][]byte
	size  int // of the values
}

func openEcho(_ context.Context, config []byte) (store, error) {
	servers, err := serversOf(config)
	if err != nil {
		return nil, err
	}
	s := &echoStore{}
	for i := range s.conns {
		if s.conns[i], err = net.Dial("tcp", servers[0]); err != nil {
			return nil, err
		}
		s.bufs[i] = make([]byte, 64<<10)
	}
	return s, nil
}

func (s *echoStore) get(_ context.Context, caller int, key string) ([]byte, error) {
	return s.exchange(caller, len(key), s.size)
}

func (s *echoStore) put(_ context.Context, caller int, key string, value []byte) error {
	_, err := s.exchange(caller, len(key)+len(value), 1)
	return err
}

// resize says how long the values are that get returns.
func (s *echoStore) resize(size int) { s.size = size }

func (s *echoStore) exchange(caller, send, receive int) ([]byte, error) {
	c, buf := s.conns[caller], s.bufs[caller]
	binary.BigEndian.PutUint32(buf, uint32(send))
	binary.BigEndian.PutUint32(buf[4:], uint32(receive))
	if _, err := c.Write(buf[:echoHead+send]); err != nil {
		return nil, err
	}
	_, err := io.ReadFull(c, buf[:receive])
	return buf[:receive], err
}

func (s *echoStore) close() {
	for _, c := range s.conns {
		_ = c.Close() // its server ends next
	}
}
