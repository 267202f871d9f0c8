package memcached

import (
	"bufio"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"strconv"
	"strings"
)

// traits are what a server says of itself when it is greeted.
type traits struct {
	limit int // the size of the largest item
	// process tells the server's process from others at the same address, as far as
	// this program lives.
	process uint64
	load    load
}

const (
	// defaultLimit is the item_size_max of a memcached that was not told otherwise, or does
	// not say.
	defaultLimit = 1 << 20
	// minLimit is the smallest that memcached lets itself be started with.
	minLimit = 1 << 10
)

var (
	errNotMemcached = fmt.Errorf("%w: it does not speak memcached's text protocol", errUnusable)
	processes       = maphash.MakeSeed()
)

func askTraits(w io.Writer, r *bufio.Reader) (t traits, err error) {
	settings, err := askStats(w, r, "stats settings")
	if err != nil {
		return traits{}, err
	}
	t.limit = defaultLimit
	if size, ok := settings["item_size_max"]; ok {
		if t.limit, err = strconv.Atoi(size); err != nil || t.limit < minLimit {
			return traits{}, fmt.Errorf("%w: it takes no items of %d bytes", errUnusable, minLimit)
		}
	}
	stats, err := askStats(w, r, "stats")
	if err != nil {
		return traits{}, err
	}
	t.load = loadOf(stats)
	t.process, err = processOf(stats)
	return t, err
}

// processOf makes one number of the process's id and of the second of its start.
func processOf(stats map[string]string) (uint64, error) {
	now, err := strconv.ParseInt(stats["time"], 10, 64)
	uptime, err2 := strconv.ParseInt(stats["uptime"], 10, 64)
	if err != nil || err2 != nil {
		return 0, fmt.Errorf("%w: it does not say since when it runs; is it a proxy?", errUnusable)
	}
	return maphash.Comparable(processes, [2]string{stats["pid"], strconv.FormatInt(now-uptime, 10)}), nil
}

// maxStats bounds how many lines an answer may have; memcached 1.6 has about 100.
const maxStats = 10_000

// askStats asks for statistics. Of a server that does not know the question there are none.
func askStats(w io.Writer, r *bufio.Reader, command string) (map[string]string, error) {
	if _, err := io.WriteString(w, command+"\r\n"); err != nil {
		return nil, err
	}
	return readStats(r)
}

func readStats(r *bufio.Reader) (map[string]string, error) {
	stats := make(map[string]string)
	for range maxStats {
		line, err := readLine(r)
		if err != nil {
			return nil, err
		}
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
			return nil, errNotMemcached
		case line == "CLIENT_ERROR unauthenticated":
			return nil, errUnauthenticated
		case errors.Is(meaningOf(line), errCrowded):
			return nil, errCrowded
		case f[0] == "END" || f[0] == "ERROR" || f[0] == "CLIENT_ERROR" || f[0] == "SERVER_ERROR":
			return stats, nil
		case f[0] != "STAT":
			return nil, errNotMemcached
		case len(f) == 3:
			stats[f[1]] = f[2]
		}
	}
	return nil, errNotMemcached
}

// readLine reads a line of at most the reader's buffer.
func readLine(r *bufio.Reader) (string, error) {
	line, err := r.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		return "", errNotMemcached
	}
	if err != nil {
		return "", err
	}
	return strings.TrimRight(string(line), "\r\n"), nil
}
