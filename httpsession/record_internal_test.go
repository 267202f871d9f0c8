package httpsession

import (
	"bytes"
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
	for _, r := range []record{{}, {state: invalidated}, {maxInactive: -1, chosen: 9}, full, less} {
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
		r.attributes = r.apply([]change{{"new", []byte("x")}, {"gone", nil}}, r.now())
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
		{[]string{"s=" + id + "; s=" + id + "; s=" + id + "; s=" + id + "; s=" + other}, []string{id, id, id, id}},
	} {
		if got := candidates(nil, map[string][]string{"Cookie": test.lines}, "s"); !slices.Equal(got, test.want) {
			t.Errorf("%q: %q, want %q", test.lines, got, test.want)
		}
	}
}
