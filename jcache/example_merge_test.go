package jcache_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Tags is a set of words.
type Tags []string

// tagsCodec encodes Tags as words in order.
type tagsCodec struct{}

func (tagsCodec) ID() byte { return 130 }

func (tagsCodec) Append(dst []byte, tags Tags) ([]byte, error) {
	tags = slices.Sorted(slices.Values(tags))
	return append(dst, strings.Join(slices.Compact(tags), " ")...), nil
}

func (tagsCodec) Decode(data []byte) (Tags, error) { return strings.Fields(string(data)), nil }

// unite merges what two sides of a split network did to the same entry: nothing that either
// of them added is lost.
func unite(a, b jcache.Revision) jcache.Revision {
	words := append(strings.Fields(string(a.Value)), strings.Fields(string(b.Value))...)
	value, _ := tagsCodec{}.Append(nil, words) // it has no errors
	later := a.Deadline
	if b.Deadline.IsZero() || !later.IsZero() && b.Deadline.After(later) {
		later = b.Deadline
	}
	return jcache.Revision{Value: value, Deadline: later}
}

func init() { jcache.RegisterMerge(tagsCodec{}, unite) }

func ExampleRegisterMerge() {
	// Caches of tags are created with jcache.Options[string, Tags]{Codec: tagsCodec{}}.
	m := unite(jcache.Revision{Value: []byte("new red")}, jcache.Revision{Value: []byte("large red")})
	fmt.Printf("%s\n", m.Value)
	// Output: large new red
}
