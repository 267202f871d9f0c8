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

// storeKey is the key under which a session is stored. Who can read the store
// cannot use what he finds there as a cookie.
func storeKey(id string) string {
	sum := sha256.Sum256([]byte(id))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// maxCandidates bounds how many cookies of the same name are looked up: a browser
// sends several if they were set for different paths or domains.
const maxCandidates = 4

// candidates appends to ids the values of the named cookie that could be ids, in the
// order in which the client sent them.
func candidates(ids []string, h http.Header, name string) []string {
	for _, line := range h["Cookie"] {
		for part := range strings.SplitSeq(line, ";") {
			key, value, ok := strings.Cut(textproto.TrimString(part), "=")
			if ok && key == name && validID(value) && len(ids) < maxCandidates {
				ids = append(ids, value)
			}
		}
	}
	return ids
}
