package jcache_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// letters is a codec of sets of letters, which merge to their union.
type letters struct{}

const lettersID = 200

func (letters) ID() byte                                    { return lettersID }
func (letters) Append(dst []byte, s string) ([]byte, error) { return append(dst, s...), nil }
func (letters) Decode(data []byte) (string, error)          { return string(data), nil }

func init() {
	jcache.RegisterMerge(letters{}, func(a, b jcache.Revision) jcache.Revision {
		if bytes.ContainsRune(a.Value, '!') || bytes.ContainsRune(b.Value, '!') {
			panic("on purpose")
		}
		m := jcache.Revision{Deadline: a.Deadline}
		if b.Deadline.After(a.Deadline) {
			m.Deadline = b.Deadline
		}
		for c := byte('a'); c <= 'z'; c++ {
			if bytes.IndexByte(a.Value, c) >= 0 || bytes.IndexByte(b.Value, c) >= 0 {
				m.Value = append(m.Value, c)
			}
		}
		return m
	})
}

// items returns the records of two entries as a driver has them.
func items(t *testing.T, opts jcache.Options[string, string], disabled []driver.Feature, values ...string) (list []driver.Item) {
	t.Helper()
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m, err := jcache.NewManager(p, jcache.ManagerOptions{Disable: disabled})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close(context.Background()) //nolint:errcheck // it has no errors
	c, err := jcache.CreateCache(t.Context(), m, "test", opts)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := p.OpenCache(t.Context(), "test", driver.CacheOptions{})
	if err != nil {
		t.Fatal(err)
	}
	for i, value := range values {
		if err := c.WithExpiryPolicy(jcache.Created[string, string](time.Duration(i+1)*time.Hour)).Put(t.Context(), value, value); err != nil {
			t.Fatal(err)
		}
		item, _, err := raw.Get(t.Context(), value)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, item)
	}
	return list
}

func TestMergeRecords(t *testing.T) {
	for _, disabled := range [][]driver.Feature{nil, {driver.FeatureTouch}} {
		list := items(t, jcache.Options[string, string]{Codec: letters{}}, disabled, "ab", "bc", "abc")
		ab, bc, abc := list[0], list[1], list[2]
		m, ok := jcache.MergeRecords(ab, bc)
		other, _ := jcache.MergeRecords(bc, ab)
		if !ok || !bytes.HasSuffix(m.Record, []byte("abc")) || !m.Deadline.Equal(bc.Deadline) {
			t.Fatalf("without %v: %q until %v, %v", disabled, m.Record, m.Deadline, ok)
		}
		if !bytes.Equal(m.Record, other.Record) || !m.Deadline.Equal(other.Deadline) {
			t.Errorf("without %v: one way it is %q, the other way %q", disabled, m.Record, other.Record)
		}
		if again, ok := jcache.MergeRecords(ab, m); !ok || !bytes.Equal(again.Record, m.Record) || !again.Deadline.Equal(m.Deadline) {
			t.Errorf("without %v: merged again it is %q", disabled, again.Record)
		}
		if same, ok := jcache.MergeRecords(ab, abc); !ok || !bytes.Equal(same.Record, abc.Record) {
			t.Errorf("without %v: one that has it all became %q", disabled, same.Record)
		}
	}
}

func TestWhatDoesNotMerge(t *testing.T) {
	set := items(t, jcache.Options[string, string]{Codec: letters{}}, nil, "ab", "!")
	text := items(t, jcache.Options[string, string]{}, nil, "ab", "cd")
	for what, pair := range map[string][2]driver.Item{
		"codecs that differ":     {set[0], text[0]},
		"a codec without merge":  {text[0], text[1]},
		"a function that panics": {set[0], set[1]},
		"no records":             {{}, {}},
	} {
		if m, ok := jcache.MergeRecords(pair[0], pair[1]); ok {
			t.Errorf("%s: %q", what, m.Record)
		}
	}
	for what, register := range map[string]func(){
		"the same codec again": func() { jcache.RegisterMerge(letters{}, func(a, _ jcache.Revision) jcache.Revision { return a }) },
		"the default codec": func() {
			jcache.RegisterMerge(jcache.Tagged[int](), func(a, _ jcache.Revision) jcache.Revision { return a })
		},
		"no function": func() { jcache.RegisterMerge(rawCodec(lettersID+1), nil) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%s: there is no panic", what)
				}
			}()
			register()
		}()
	}
}
