package gocache

import (
	"crypto/sha256"
	"encoding/base64"
)

// maxPlainKey is how long a key may be, with all that precedes it, to be stored as it is. Servers
// take at least 250 bytes, which the longest prefix and name and a hash have.
const maxPlainKey = 240

// spot is where the record of a key is stored. The separator tells plain keys from hashed ones.
func (c *cache) spot(key string) string {
	if len(c.base)+1+len(key) <= maxPlainKey && printable(key) {
		return c.base + ":" + key
	}
	sum := sha256.Sum256([]byte(key))
	return c.base + "#" + base64.RawURLEncoding.EncodeToString(sum[:])
}

func printable(key string) bool {
	for i := range len(key) {
		if key[i] <= ' ' || key[i] >= 0x7f {
			return false
		}
	}
	return true
}
