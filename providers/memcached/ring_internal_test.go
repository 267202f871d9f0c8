package memcached

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"testing"
)

func ringOf(t *testing.T, servers ...string) *ring {
	t.Helper()
	addresses, err := parseServers(servers)
	if err != nil {
		t.Fatal(err)
	}
	return newRing(addresses)
}

// TestRingGolden holds vectors that libmemcached 1.1.4 computed, with
// MEMCACHED_BEHAVIOR_KETAMA_WEIGHTED and memcached_server_by_key. digest is the SHA-256
// of the positions in the list of the servers of key-0 … key-9999, a byte each.
func TestRingGolden(t *testing.T) {
	for _, test := range []struct {
		servers string
		digest  string
		keys    map[string]string
	}{
		{"10.0.1.1 10.0.1.2 10.0.1.3", "eedd1ec6e91190769e04df1f846295b34c7fe737aee516b6b2760faa1188389a", map[string]string{
			"foo": "10.0.1.3:11211", "keepsake:sessions:2": "10.0.1.1:11211", "schlüssel": "10.0.1.2:11211", "b": "10.0.1.2:11211",
			strings.Repeat("x", 250): "10.0.1.2:11211",
		}},
		{"cache-a.example cache-b.example:11212 cache-c.example:11213 10.0.1.4 127.0.0.1:22122", "457c66f43276f29cd8803af180d7d910c4d306c2195e70433a8a9b4c68b36744", map[string]string{
			"foo": "cache-a.example:11211", "keepsake:sessions:1": "cache-c.example:11213", "keepsake:catalog:apple": "cache-b.example:11212", "d": "10.0.1.4:11211",
			"keepsake:s#47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU": "cache-b.example:11212",
		}},
		{"[::1] [::1]:11212 [fe80::1]:11213", "0846e943247de8950801affb57c583775056efb982e7c970f97b34416873e862", nil},
	} {
		list := strings.Fields(test.servers)
		r := ringOf(t, list...)
		for key, want := range test.keys {
			if addr, _ := r.PickServer(key); addr.String() != want {
				t.Errorf("%s belongs to %s, want %s", key, addr, want)
			}
		}
		positions := make([]byte, 10000)
		for i := range positions {
			server := r.addresses[r.pick("key-"+strconv.Itoa(i))]
			positions[i] = byte(slices.IndexFunc(list, func(s string) bool { a, _ := parseAddress(s); return a == server }))
		}
		if digest := sha256.Sum256(positions); hex.EncodeToString(digest[:]) != test.digest {
			t.Errorf("%s: the keys are not where libmemcached has them", test.servers)
		}
	}
}

func TestRingIgnoresOrder(t *testing.T) {
	a, b := ringOf(t, "a", "b:1", "c", "d"), ringOf(t, "d", "c:11211", "a", "b:1")
	for i := range 1000 {
		key := strconv.Itoa(i)
		if x, y := a.addresses[a.pick(key)], b.addresses[b.pick(key)]; x != y {
			t.Fatalf("%s belongs to %s or to %s", key, x, y)
		}
	}
}

func TestRingMovesFewKeys(t *testing.T) {
	before, after := ringOf(t, "a", "b", "c", "d"), ringOf(t, "a", "b", "c", "d", "e")
	const keys = 10000
	moved := 0
	for i := range keys {
		key := strconv.Itoa(i)
		x, y := before.addresses[before.pick(key)], after.addresses[after.pick(key)]
		if x != y {
			moved++
			if y != "e:11211" {
				t.Fatalf("%s moved from %s to %s, not to the new server", key, x, y)
			}
		}
	}
	if moved < keys/10 || moved > keys/3 {
		t.Errorf("%d of %d keys moved to a fifth server", moved, keys)
	}
}
