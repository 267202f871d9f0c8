package httpsession

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

func FuzzRecord(f *testing.F) {
	full := record{created: 1, accessed: 2, maxInactive: time.Minute}
	full.attributes = full.apply([]change{{"a", []byte("1")}, {"name", []byte("value")}}, 5)
	less := full
	less.attributes = full.apply([]change{{"a", nil}, {"b", []byte("2")}}, 7)
	hash := hashIn(storeKey("an id that somebody had"))
	for _, r := range []record{{}, {state: invalidated}, {state: renewed, successors: hash[:]}, {maxInactive: -1, chosen: 9}, full, less} {
		data, err := recordCodec{}.Append(nil, r)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := recordCodec{}.Decode(data)
		if err != nil {
			return
		}
		again, err := recordCodec{}.Append(nil, r)
		if err != nil {
			t.Fatal(err)
		}
		if r.maxInactive.Abs() < 1<<62 && !bytes.Equal(again, data) {
			t.Errorf("%x became %x", data, again)
		}
		for _, name := range namesOf(r) {
			if _, ok := r.attribute(name); !ok {
				t.Errorf("attribute %q is listed and not found", name)
			}
		}
		r.attributes = r.apply([]change{{"new", []byte("x")}, {"gone", nil}}, r.stampTime(time.Now().UnixMicro()))
		if v, ok := r.attribute("new"); !ok || string(v) != "x" {
			t.Errorf("new is %q", v)
		}
		if _, ok := r.attribute("gone"); ok {
			t.Error("a deleted attribute is there")
		}
		a, b := jcache.Revision{Value: data}, jcache.Revision{Value: again}
		if m := mergeSessions(a, b); mergeSessions(m, a).Value == nil || !sameRevision(m, mergeSessions(b, a)) {
			t.Errorf("%x merged differently", data)
		}
	})
}

// These are records as they were stored once. They can be read for ever, and are written in the
// same way: servers of several versions share them.
func TestGoldenRecords(t *testing.T) {
	one, two := hashIn(storeKey("id-of-a-session-after-one-renewal")), hashIn(storeKey("id-of-a-session-after-the-other"))
	both := mergeSuccessors(one[:], two[:])
	for _, golden := range []struct {
		name   string
		record record
		stored string
	}{
		{"live", record{created: 1_700_000_000_000_001, accessed: 1_700_000_001_000_002, stored: 1_700_000_001_000_302, maxInactive: 30 * time.Minute,
			chosen: 5, attributes: attribute{[]byte("b"), []byte{}, stampOf(7, true)}.append(attribute{[]byte("a"), []byte{1, 2}, stampOf(6, false)}.append(nil))},
			"030001401e18240a060042822d18240a06002c01000040771b000000000005000000000000000c0000000000000001026101020f00000000000000010062"},
		{"for ever", record{created: 1, accessed: 2, stored: 2}, "0300010000000000000002000000000000000000000000000000000000000000000000000000"},
		{"invalidated", record{state: invalidated, created: 3, accessed: 4, stored: 4}, "0302030000000000000004000000000000000000000000000000000000000000000000000000"},
		{"renewed", record{state: renewed, created: 3, accessed: 4, stored: 4, successors: one[:]}, "030103000000000000000400000000000000000000000000000000000000000000000000000010c82130d92b70aa285fbf612d3242a752899a72ab7261c03e98fbdd3cb09106"},
		{"renewed on both sides of a split", record{state: renewed, created: 3, accessed: 4, stored: 4, successors: both}, "030103000000000000000400000000000000000000000000000000000000000000000000000010c82130d92b70aa285fbf612d3242a752899a72ab7261c03e98fbdd3cb091063cb916b808019ddc461aa242c2a40d5eb10ccf790054e2cef3d9d17549d50c84"},
	} {
		if got := fmt.Sprintf("%x", golden.record.append(nil)); got != golden.stored {
			t.Errorf("%s: written as\n%s, was\n%s", golden.name, got, golden.stored)
		}
		data, err := hex.DecodeString(golden.stored)
		if err != nil {
			t.Fatal(err)
		}
		got, err := recordCodec{}.Decode(data)
		if err != nil || got.state != golden.record.state || got.created != golden.record.created || got.accessed != golden.record.accessed ||
			got.stored != golden.record.stored || got.maxInactive != golden.record.maxInactive || got.chosen != golden.record.chosen ||
			!bytes.Equal(got.attributes, golden.record.attributes) || !bytes.Equal(got.successors, golden.record.successors) {
			t.Errorf("%s: read as %+v, %v", golden.name, got, err)
		}
	}
	const key = "ZvJ4L09u-WORASotZy-1di_BOkKxYi2OmxVXbn6lVwY"
	if got := storeKey("abcdefghijklmnopqrstuvwxyz0123456789ABCDEF-_"); got != key || keyOf(hashIn(key)) != key {
		t.Errorf("the store key is %s, was %s", got, key)
	}
}

func TestApplyLeavesTheRestAlone(t *testing.T) {
	var r record
	r.attributes = r.apply([]change{{"a", []byte("1")}, {"b", []byte("2")}, {"c", []byte("3")}}, 1)
	before := bytes.Clone(r.attributes)
	next := record{attributes: r.apply([]change{{"b", nil}, {"c", []byte("33")}, {"d", []byte("4")}}, 2)}
	if !bytes.Equal(before, r.attributes) {
		t.Error("the old record changed")
	}
	names := namesOf(next)
	slices.Sort(names)
	if !slices.Equal(names, []string{"a", "c", "d"}) {
		t.Errorf("names %v", names)
	}
	for name, want := range map[string]string{"a": "1", "c": "33", "d": "4"} {
		if v, ok := next.attribute(name); !ok || string(v) != want {
			t.Errorf("%s is %q, want %q", name, v, want)
		}
	}
}

func TestCandidates(t *testing.T) {
	id := "abcdefghijklmnopqrstuvwxyz0123456789ABCDEF-_"
	other := "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	for _, test := range []struct {
		lines []string
		want  []string
	}{
		{nil, nil},
		{[]string{"s=" + id}, []string{id}},
		{[]string{"a=b; s=" + id + "; c=d"}, []string{id}},
		{[]string{"s=" + other + ";s=" + id}, []string{other, id}},
		{[]string{"x=1", "s=" + id}, []string{id}},
		{[]string{"ss=" + id + "; S=" + id}, nil},
		{[]string{"s; s=; s=short; =" + id}, nil},
		{[]string{"s=" + id + "=" + id}, nil},
		{[]string{`s="` + id + `"; s="` + other}, []string{id}},
		{[]string{`s="`, `s=""`, `s="` + id + `""`}, nil},
		{[]string{"s=" + id + "; s=" + id + "; s=" + id + "; s=" + id + "; s=" + other}, []string{id, id, id, id}},
	} {
		if got := candidates(nil, map[string][]string{"Cookie": test.lines}, "s"); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.lines, got, test.want)
		}
	}
}

// TestRecordsLiveNoLongerThanTheirSessions: what is written late in a session's life is kept for what is left of
// it, and after its last use for its idle time.
func TestRecordsLiveNoLongerThanTheirSessions(t *testing.T) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 0))
	for range 1000 {
		idle := time.Duration(1+r.IntN(100)) * time.Minute
		lifetime := time.Duration(r.IntN(200)) * time.Minute // zero: for ever
		created := time.Now().UnixMicro()
		age := time.Duration(r.IntN(250)) * time.Minute
		written := record{created: created, stored: created + age.Microseconds(), maxInactive: idle}
		want := idle + touchInterval(idle)
		if lifetime > 0 {
			want = max(0, min(want, lifetime-age))
		}
		policy := expiryPolicy{func() time.Duration { return lifetime }}
		for op, got := range map[string]jcache.Expiry{"create": policy.OnCreate("k", written), "update": policy.OnUpdate("k", written)} {
			if got != jcache.ExpireAfter(want) {
				t.Fatalf("seed %d, %s: idle %v, lifetime %v, age %v: %v, want %v", seed, op, idle, lifetime, age, got, want)
			}
		}
	}
}
