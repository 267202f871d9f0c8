package memcached

import (
	"bufio"
	"errors"
	"strings"
	"testing"
)

func FuzzReadLimit(f *testing.F) {
	f.Add("STAT item_size_max 1048576\r\nSTAT evictions on\r\nEND\r\n")
	f.Add("CLIENT_ERROR unauthenticated\r\n")
	f.Add("ERROR\r\n")
	f.Add("HTTP/1.1 400 Bad Request\r\n\r\n")
	f.Add("STAT item_size_max -1\r\nEND\r\n")
	f.Add(strings.Repeat("x", 5000))
	f.Fuzz(func(t *testing.T, answer string) {
		limit, err := readLimit(bufio.NewReader(strings.NewReader(answer)))
		if err == nil && limit < minLimit {
			t.Errorf("%q: limit %d", answer, limit)
		}
	})
}

func TestReadLimit(t *testing.T) {
	for _, test := range []struct {
		answer string
		limit  int
		err    error
	}{
		{"STAT maxbytes 1\r\nSTAT item_size_max 2097152\r\nSTAT evictions on\r\nSTAT hash_algorithm\r\nEND\r\n", 2 << 20, nil},
		{"STAT maxbytes 1\r\nEND\r\n", 1 << 20, nil},
		{"END\r\n", 1 << 20, nil},
		{"ERROR\r\n", 1 << 20, nil},
		{"CLIENT_ERROR unauthenticated\r\n", 0, errUnauthenticated},
		{"STAT item_size_max 12\r\nEND\r\n", 0, errUnusable},
		{"\r\n", 0, errUnusable},
		{"SSH-2.0\r\n", 0, errUnusable},
		{strings.Repeat("STAT", 2000), 0, errUnusable},
	} {
		limit, err := readLimit(bufio.NewReader(strings.NewReader(test.answer)))
		if limit != test.limit || !errors.Is(err, test.err) || (err == nil) != (test.err == nil) {
			t.Errorf("%.40q: %d, %v; want %d, %v", test.answer, limit, err, test.limit, test.err)
		}
	}
}
