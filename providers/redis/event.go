package redis

import (
	"errors"
	"strconv"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A told is a message to those who watch a cache: a letter for the kind, the generation, the
// lengths of the key and of the new value, a line feed, the key, the new value, and the old one.
type told struct {
	kind       byte
	generation int64
	key        string
	value, old string // nothing: there is none
}

// The kinds of what is told.
const (
	toldPut     = 'p'
	toldRemoved = 'r'
	toldExpired = 'x'
	toldCleared = 'c' // to that generation
)

// placeOf is what a message about a key begins with after its kind.
func placeOf(generation int64, key string) string {
	return text(generation) + " " + text(int64(len(key)))
}

var errGarbled = errors.New("a message that this provider did not send")

// parseTold reads a message.
func parseTold(message string) (t told, err error) {
	head, body, ok := strings.Cut(message, "\n")
	if !ok || head == "" {
		return told{}, errGarbled
	}
	parts := strings.Split(head[1:], " ")
	if len(parts) != 3 {
		return told{}, errGarbled
	}
	t.kind = head[0]
	generation, err := strconv.ParseUint(parts[0], 10, 63)
	keyBytes, err2 := strconv.ParseUint(parts[1], 10, 31)
	valueBytes, err3 := strconv.ParseUint(parts[2], 10, 31)
	if err != nil || err2 != nil || err3 != nil || keyBytes+valueBytes > uint64(len(body)) {
		return told{}, errGarbled
	}
	t.generation = int64(generation)
	t.key, t.value, t.old = body[:keyBytes], body[keyBytes:keyBytes+valueBytes], body[keyBytes+valueBytes:]
	return t, nil
}

// event returns what those who watch are told.
func (t told) event() (e driver.Event, err error) {
	e.Key = t.key
	if e.Record, err = recordIn(t.value); err == nil {
		e.Old, err = recordIn(t.old)
	}
	switch {
	case err != nil || t.key == "":
		return driver.Event{}, errGarbled
	case t.kind == toldPut && e.Record != nil:
		e.Kind = driver.EventPut
	case t.kind == toldRemoved && e.Record == nil:
		e.Kind = driver.EventRemoved
	case t.kind == toldExpired && e.Record == nil:
		e.Kind = driver.EventExpired
	default:
		return driver.Event{}, errGarbled
	}
	return e, nil
}

// recordIn returns the record in a value, if there is one.
func recordIn(value string) ([]byte, error) {
	if value == "" {
		return nil, nil
	}
	if len(value) < envelopeBytes+driver.WriteIDBytes || !strings.HasPrefix(value, envelopeMark) {
		return nil, errGarbled
	}
	return []byte(value[envelopeBytes:]), nil
}
