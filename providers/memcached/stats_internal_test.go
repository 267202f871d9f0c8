package memcached

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

func answering(text string) (io.Writer, *bufio.Reader) {
	return io.Discard, bufio.NewReader(strings.NewReader(text))
}

const someStats = "STAT pid 7\r\nSTAT uptime 3\r\nSTAT time 1000\r\nEND\r\n"

func FuzzAskTraits(f *testing.F) {
	f.Add("STAT item_size_max 1048576\r\nSTAT evictions on\r\nEND\r\n" + someStats)
	f.Add("CLIENT_ERROR unauthenticated\r\n")
	f.Add("ERROR\r\n")
	f.Add("HTTP/1.1 400 Bad Request\r\n\r\n")
	f.Add("STAT item_size_max -1\r\nEND\r\n")
	f.Add(strings.Repeat("x", 5000))
	f.Fuzz(func(t *testing.T, answer string) {
		got, err := askTraits(answering(answer))
		if err == nil && got.limit < minLimit {
			t.Errorf("%q: limit %d", answer, got.limit)
		}
	})
}

func TestAskTraits(t *testing.T) {
	for _, test := range []struct {
		answer string
		limit  int
		err    error
	}{
		{"STAT maxbytes 1\r\nSTAT item_size_max 2097152\r\nSTAT evictions on\r\nSTAT hash_algorithm\r\nEND\r\n" + someStats, 2 << 20, nil},
		{"STAT maxbytes 1\r\nEND\r\n" + someStats, 1 << 20, nil},
		{"END\r\n" + someStats, 1 << 20, nil},
		{"ERROR\r\n" + someStats, 1 << 20, nil},
		{"END\r\nEND\r\n", 0, errUnusable},
		{"CLIENT_ERROR unauthenticated\r\n", 0, errUnauthenticated},
		{"ERROR Too many open connections\r\n", 0, errCrowded},
		{"STAT item_size_max 12\r\nEND\r\n", 0, errUnusable},
		{"\r\n", 0, errUnusable},
		{"SSH-2.0\r\n", 0, errUnusable},
		{strings.Repeat("STAT", 2000), 0, errUnusable},
	} {
		got, err := askTraits(answering(test.answer))
		if err == nil && got.limit != test.limit || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%.40q: %d, %v; want %d, %v", test.answer, got.limit, err, test.limit, test.err)
		}
	}
}

// TestAProcessIsTheSameForAllItsLife: its clock goes on, its beginning does not.
func TestAProcessIsTheSameForAllItsLife(t *testing.T) {
	of := func(pid, uptime, now string) uint64 {
		id, err := processOf(map[string]string{"pid": pid, "uptime": uptime, "time": now})
		if err != nil {
			t.Fatal(err)
		}
		return id
	}
	if of("7", "3", "1000") != of("7", "13", "1010") {
		t.Error("a process changes as it grows older")
	}
	if of("7", "3", "1000") == of("8", "3", "1000") || of("1", "3", "1000") == of("1", "0", "1000") {
		t.Error("another process is taken for the same")
	}
}

// A server's clock is compared when it is greeted, and whenever it is asked for its load.
func TestClockOfAServer(t *testing.T) {
	for _, ahead := range []time.Duration{0, 90 * time.Second, -time.Hour} {
		stats := fmt.Sprintf("STAT pid 1\r\nSTAT uptime 10\r\nSTAT time %d\r\nEND\r\n", time.Now().Add(ahead).Unix())
		got, err := askTraits(answering("END\r\n" + stats))
		if err != nil || (got.load.ahead-ahead).Abs() > 2*time.Second {
			t.Errorf("%v ahead: got %v, %v", ahead, got.load.ahead, err)
		}
	}
}
