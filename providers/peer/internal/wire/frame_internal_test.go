package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"flag"
	"io"
	"os"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
)

var update = flag.Bool("update", false, "write the golden files")

// frames are examples of all that goes over a connection.
func frames() []byte {
	h := Hello{
		Cluster: "shop", Protocol: 3, Oldest: 2, Capabilities: 1 << 40, ID: 0xfedcba9876543210,
		Zone: "east", Mode: "both", Addr: "10.0.0.1:7800", Partitions: 271, Class: Data,
	}
	b := appendFrame(nil, typeHello, 0, 0, h.append(nil))
	b = appendFrame(b, typeRefusal, 0, 0, []byte("one is in cluster"))
	b = appendFrame(b, typePing, 0, pingID)
	b = appendFrame(b, 7, 0, 0)
	b = appendFrame(b, 7, 0, 1, []byte("a re"), nil, []byte("quest"))
	b = appendFrame(b, typeVoid, flagAnswer, 1, []byte("an answer"))
	return appendFrame(b, typeVoid, flagAnswer|flagUnknown, 1<<63)
}

func TestFormatIsTheOneOfTheGoldenFile(t *testing.T) {
	const file = "testdata/frames.hex"
	got := hex.Dump(frames())
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("processes of the last version do not understand this one:\n%s", got)
	}
}

func TestReaderTakesFramesHoweverTheyArrive(t *testing.T) {
	for name, from := range map[string]io.Reader{
		"at once":             bytes.NewReader(frames()),
		"byte by byte":        iotest.OneByteReader(bytes.NewReader(frames())),
		"with the end in one": iotest.DataErrReader(bytes.NewReader(frames())),
	} {
		r := newReader(from, MaxBody, headerBytes)
		var got []byte
		for {
			f, err := r.next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			got = appendFrame(got, f.typ, f.flags, f.id, f.body)
		}
		if !bytes.Equal(got, frames()) {
			t.Errorf("%s: got % x", name, got)
		}
	}
}

func TestReaderRefuses(t *testing.T) {
	whole := appendFrame(nil, 1, 0, 1, []byte("body"))
	tests := map[string]struct {
		b    []byte
		want error
	}{
		"too short a length": {[]byte{0, 0, 0, 9, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0}, ErrProtocol},
		"too long a body":    {appendFrame(nil, 1, 0, 1, make([]byte, 101)), ErrProtocol},
		"half a header":      {whole[:5], io.ErrUnexpectedEOF},
		"half a body":        {whole[:len(whole)-1], io.ErrUnexpectedEOF},
		"nothing":            {nil, io.EOF},
	}
	for name, tt := range tests {
		if _, err := newReader(bytes.NewReader(tt.b), 100, headerBytes).next(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReaderAllocatesForWhatArrivesOnly(t *testing.T) {
	announced := appendFrame(nil, 1, 0, 1, make([]byte, MaxBody))[:readBytes+100]
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	for range 100 {
		if _, err := newReader(bytes.NewReader(announced), MaxBody, readBytes).next(); err == nil {
			t.Fatal("a frame came out of its head")
		}
	}
	runtime.ReadMemStats(&after)
	if n := (after.TotalAlloc - before.TotalAlloc) / 100; n > 8*readBytes {
		t.Errorf("%d bytes were allocated for %d", n, len(announced))
	}
}

func TestReaderGivesLargeBuffersBack(t *testing.T) {
	b := appendFrame(nil, 1, 0, 1, make([]byte, 1<<20))
	r := newReader(bytes.NewReader(append(b, appendFrame(nil, 2, 0, 0)...)), MaxBody, readBytes)
	for range 2 {
		if _, err := r.next(); err != nil {
			t.Fatal(err)
		}
	}
	_, _ = r.next()
	if len(r.buf) > keepBytes {
		t.Errorf("%d bytes are kept", len(r.buf))
	}
}

func FuzzReader(f *testing.F) {
	f.Add(frames())
	f.Add([]byte{0xff, 0xff, 0xff, 0xff})
	f.Add([]byte("\x00\x00\x010000000000000000000000000")) // more than one buffer, less than announced
	f.Fuzz(func(t *testing.T, b []byte) {
		r := newReader(iotest.HalfReader(bytes.NewReader(b)), 1<<10, headerBytes)
		var again []byte
		for {
			fr, err := r.next()
			if err != nil {
				break
			}
			again = appendFrame(again, fr.typ, fr.flags, fr.id, fr.body)
		}
		if !bytes.HasPrefix(b, again) {
			t.Errorf("% x was read as % x", b, again)
		}
		if len(r.buf) > 2*max(len(b), headerBytes) {
			t.Errorf("%d bytes made a buffer of %d", len(b), len(r.buf))
		}
	})
}

func FuzzHello(f *testing.F) {
	h := Hello{Cluster: "shop", Protocol: 1, ID: 1 << 63, Zone: "z", Mode: "both", Addr: "a:1", Partitions: 271, Class: stream}
	f.Add(h.append(nil))
	f.Fuzz(func(t *testing.T, b []byte) {
		h, err := parseHello(b)
		if err != nil {
			return
		}
		again, err := parseHello(append(h.append(nil), "of a later version"...))
		if err != nil || *again != *h {
			t.Errorf("%+v became %+v, %v", h, again, err)
		}
	})
}

func TestHelloWithoutIDIsRefused(t *testing.T) {
	h := Hello{ID: 1}
	if h.differs(&Hello{}) == "" || h.differs(&Hello{ID: 2}) != "" {
		t.Error("nobody was taken for somebody")
	}
}

func TestRefusalsOfPeersArePrintable(t *testing.T) {
	if got := strings.Map(printable, "a\x1b[2J\nb"); got != "a[2Jb" {
		t.Errorf("got %q", got)
	}
}

func TestPausesGrowAndAreBounded(t *testing.T) {
	var all []bool
	for fails := 1; fails < 100; fails++ {
		p := backoff(fails)
		all = append(all, p >= shortPause*3/4 && p <= longPause*5/4)
	}
	if slices.Contains(all, false) {
		t.Error("a pause is too long or too short")
	}
}
