package conformance

import (
	"strconv"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A model is what a cache has to be, said as simply as possible: a map, and one
// rule each for creating, reading, updating and removing an entry.
type model map[string]modelEntry

type modelEntry struct {
	value  string
	expiry jcache.Expiry // what decided the deadline: ExpireNever or ExpireAfter
}

// create makes an entry, unless it expires at once.
func (m model) create(key, value string, answer jcache.Expiry) bool {
	switch answer {
	case jcache.ExpireNow():
		return false
	case jcache.KeepExpiry():
		answer = jcache.ExpireNever()
	}
	m[key] = modelEntry{value, answer}
	return true
}

// change gives an entry that is there a value and, unless it keeps its own, an
// expiry.
func (m model) change(key, value string, answer jcache.Expiry) {
	switch answer {
	case jcache.ExpireNow():
		delete(m, key)
	case jcache.KeepExpiry():
		m[key] = modelEntry{value, m[key].expiry}
	default:
		m[key] = modelEntry{value, answer}
	}
}

func (m model) put(key, value string, a answers) (created bool) {
	if _, ok := m[key]; !ok {
		return m.create(key, value, a.create)
	}
	m.change(key, value, a.update)
	return false
}

func (m model) access(key string, a answers) {
	if was, ok := m[key]; ok {
		m.change(key, was.value, a.access)
	}
}

// apply does what the operation does and returns the result that it must have.
func (m model) apply(op operation, keys []string, value, old string, a answers) string {
	if op.whole && op.name != "iterate" {
		clear(m)
		return ""
	}
	if !op.many {
		keys = keys[:1]
	}
	results := make([]string, len(keys))
	for i, k := range keys {
		results[i] = m.applyTo(op, k, value, old, a)
	}
	if results[0] == "" {
		return ""
	}
	return strings.Join(results, ",")
}

func (m model) applyTo(op operation, key, value, old string, a answers) string {
	was, present := m[key]
	found, equal := orAbsent(was.value, present), present && was.value == old
	if how, processor, ok := strings.Cut(op.name, " "); ok && strings.HasPrefix(how, "invoke") {
		return m.invoke(processor, key, value, found, a)
	}
	switch op.name {
	case "get", "getEntry", "getAll", "iterate":
		m.access(key, a)
		return found
	case "containsKey":
		return strconv.FormatBool(present)
	case "put", "putAll":
		m.put(key, value, a)
		return ""
	case "getAndPut":
		m.put(key, value, a)
		return found
	case "putIfAbsent":
		return strconv.FormatBool(!present && m.put(key, value, a))
	case "remove":
		delete(m, key)
		return strconv.FormatBool(present)
	case "removeKeys":
		delete(m, key)
		return ""
	case "getAndRemove":
		delete(m, key)
		return found
	case "compareAndRemove":
		if equal {
			delete(m, key)
		} else {
			m.access(key, a)
		}
		return strconv.FormatBool(equal)
	case "replace":
		if present {
			m.put(key, value, a)
		}
		return strconv.FormatBool(present)
	case "compareAndReplace":
		if equal {
			m.put(key, value, a)
		} else {
			m.access(key, a)
		}
		return strconv.FormatBool(equal)
	case "getAndReplace":
		if present {
			m.put(key, value, a)
		}
		return found
	}
	return "an operation that the model does not know"
}

// invoke is the net effect of a processor.
func (m model) invoke(processor, key, value, found string, a answers) string {
	own := answers{jcache.ExpireAfter(lifeOfOwn), jcache.ExpireAfter(lifeOfOwn), jcache.ExpireAfter(lifeOfOwn)}
	switch processor {
	case "nothing":
		return "done"
	case "exists":
		return strconv.FormatBool(found != absent)
	case "value":
		m.access(key, a)
		return found
	case "set":
		m.put(key, value, a)
		return value
	case "value+set":
		m.put(key, value, a)
		return found
	case "remove":
		delete(m, key)
		return absent
	case "set+remove":
		delete(m, key)
		return "false"
	case "remove+set":
		m.put(key, value, a)
		return "true"
	case "expiry":
		m.access(key, own)
		return found
	case "set+expiry":
		m.put(key, value, own)
		return "done"
	}
	return "refused" // those that fail
}
