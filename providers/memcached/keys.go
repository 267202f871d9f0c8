package memcached

import (
	"crypto/sha256"
	"encoding/base64"
)

// maxKeyBytes is the longest key of the protocol.
const maxKeyBytes = 250

// names builds the keys of one cache on the servers:
//
//	prefix:cache:key     a key that memcached takes as it is
//	prefix:cache#hash    any other key; hash is the base64 of its SHA-256
//	prefix:cache@        the cache's generation, on every server
//
// Neither prefixes nor names of caches contain ':', '#' or '@', so no two caches have
// a key in common. prefix:@random is the key of a probe.
type names struct{ plain, hashed, generation string }

func newNames(prefix, cache string) names {
	base := prefix + ":" + cache
	return names{plain: base + ":", hashed: base + "#", generation: base + "@"}
}

// stored returns the key on the server, and whether it is a hash.
func (n names) stored(key string) (name string, hashed bool) {
	if len(n.plain)+len(key) <= maxKeyBytes && legal(key) {
		return n.plain + key, false
	}
	sum := sha256.Sum256([]byte(key))
	return n.hashed + base64.RawURLEncoding.EncodeToString(sum[:]), true
}

// legal reports whether the protocol takes the bytes of a key.
func legal(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] == 0x7f {
			return false
		}
	}
	return true
}
