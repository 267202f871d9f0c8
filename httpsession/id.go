package httpsession

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"net/http"
	"net/textproto"
	"strings"
)

// newID returns a fresh id of n characters of base64url.
func newID(n int) string {
	random := make([]byte, (n*6+7)/8)
	_, _ = rand.Read(random) // it never fails
	return base64.RawURLEncoding.EncodeToString(random)[:n]
}

// validID reports whether a value that a client sent could be an id.
func validID(id string) bool {
	if len(id) < minIDLength || len(id) > maxIDLength {
		return false
	}
	for i := 0; i < len(id); i++ {
		c := id[i]
		if (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}

// A storeHash is the hash of an id. Who can read the store cannot use what is found there
// as a cookie.
type storeHash [sha256.Size]byte

// storeKey is the key under which a session is stored: the hash of its id as a text.
func storeKey(id string) string {
	var room [maxIDLength]byte
	return keyOf(sha256.Sum256(room[:copy(room[:], id)]))
}

const storeKeyBytes = (sha256.Size*8 + 5) / 6

func keyOf(h storeHash) string {
	var text [storeKeyBytes]byte
	base64.RawURLEncoding.Encode(text[:], h[:])
	return string(text[:])
}

// hashIn is the inverse of keyOf.
func hashIn(key string) (h storeHash) {
	var text [storeKeyBytes]byte
	copy(text[:], key)
	_, _ = base64.RawURLEncoding.Decode(h[:], text[:]) // keys are made by keyOf
	return h
}

// maxCandidates bounds how many cookies of the same name are looked up: a browser
// sends several if they were set for different paths or domains.
const maxCandidates = 4

// candidates appends to ids the values of the named cookie that could be ids, in the
// order in which the client sent them. Some clients and proxies put them in quotes.
func candidates(ids []string, h http.Header, name string) []string {
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			key, value, ok := strings.Cut(textproto.TrimString(part), "=")
			if n := len(value); n > 1 && value[0] == '"' && value[n-1] == '"' {
				value = value[1 : n-1]
			}
			if ok && key == name && validID(value) && len(ids) < maxCandidates {
				ids = append(ids, value)
			}
		}
	}
	return ids
}
