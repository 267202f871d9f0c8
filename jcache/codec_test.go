package jcache_test

import (
	"encoding/gob"
	"errors"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/keepsake-cache/keepsake/jcache"
)

// rawCodec stores strings as they are, under an identifier of its own.
type rawCodec byte

func (c rawCodec) ID() byte                                    { return byte(c) }
func (c rawCodec) Append(dst []byte, v string) ([]byte, error) { return append(dst, v...), nil }
func (c rawCodec) Decode(data []byte) (string, error)          { return string(data), nil }

// Equal bytes of another codec are another value.
func TestCompareLooksAtTheCodec(t *testing.T) {
	ctx, m := t.Context(), openMemory(t, jcache.ManagerOptions{})
	one, err := jcache.CreateCache(ctx, m, "test", jcache.Options[string, string]{Codec: rawCodec(200)})
	if err != nil {
		t.Fatal(err)
	}
	if err := one.Put(ctx, "k", "v"); err != nil {
		t.Fatal(err)
	}
	if err := one.Close(ctx); err != nil {
		t.Fatal(err)
	}
	two, err := jcache.CreateCache(ctx, m, "test", jcache.Options[string, string]{Codec: rawCodec(201)})
	if err != nil {
		t.Fatal(err)
	}
	if removed, err := two.CompareAndRemove(ctx, "k", "v"); removed || !errors.Is(err, jcache.ErrUndecodable) {
		t.Errorf("CompareAndRemove: got %v, %v; want ErrUndecodable", removed, err)
	}
	if replaced, err := two.CompareAndReplace(ctx, "k", "v", "w"); replaced || !errors.Is(err, jcache.ErrUndecodable) {
		t.Errorf("CompareAndReplace: got %v, %v; want ErrUndecodable", replaced, err)
	}
}

type secretive struct{ Text string }

func (secretive) MarshalText() ([]byte, error) { return nil, errors.New("cannot encode hunter2") }

// What cannot be encoded is ErrInvalid, nothing is stored, and the error does not
// quote the value.
func TestUnencodableValues(t *testing.T) {
	ctx := t.Context()
	refused := func(name string, err error) {
		t.Helper()
		if !errors.Is(err, jcache.ErrInvalid) || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "NaN") {
			t.Errorf("%s: got error %v, want ErrInvalid without the value", name, err)
		}
	}
	numbers := create(t, jcache.Options[string, float64]{Codec: jcache.JSON[float64]()})
	refused("a number that JSON does not know", numbers.Put(ctx, "k", math.NaN()))
	if ok, err := numbers.ContainsKey(ctx, "k"); ok || err != nil {
		t.Errorf("something was stored: %v, %v", ok, err)
	}
	refused("a failing encoder in JSON", create(t, jcache.Options[string, secretive]{Codec: jcache.JSON[secretive]()}).Put(ctx, "k", secretive{"hunter2"}))
	refused("a function in gob", create(t, jcache.Options[string, func()]{Codec: jcache.Gob[func()]()}).Put(ctx, "k", func() {}))
	refused("a function", create(t, jcache.Options[string, func()]{}).Put(ctx, "k", func() {}))
	refused("a channel", create(t, jcache.Options[string, any]{}).Put(ctx, "k", make(chan int)))
	refused("a complex number", create(t, jcache.Options[string, complex128]{}).Put(ctx, "k", 1i))
	refused("a struct without exported fields", create(t, jcache.Options[string, struct{ hidden int }]{}).Put(ctx, "k", struct{ hidden int }{1}))
	refused("a pointer to one", create(t, jcache.Options[string, *struct{ hidden int }]{}).Put(ctx, "k", &struct{ hidden int }{1}))
}

type order struct {
	Number int
	Lines  []string
	Placed time.Time
	Extra  any
}

func TestOtherCodecs(t *testing.T) {
	gob.Register(map[string]int{})
	value := order{7, []string{"a", "b"}, time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC), nil}
	for name, test := range map[string]struct {
		codec       jcache.Codec[order]
		extra, lost any // JSON does not know the types behind interfaces
	}{
		"json": {jcache.JSON[order](), map[string]any{"x": 1.0}, map[string]int{"x": 1}},
		"gob":  {jcache.Gob[order](), map[string]int{"x": 1}, map[string]uint{"x": 1}},
	} {
		c := create(t, jcache.Options[string, order]{Codec: test.codec})
		want := value
		want.Extra = test.extra
		if err := c.Put(t.Context(), "k", want); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		value.Extra = test.lost
		if err := c.Put(t.Context(), "k", value); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("%s: a value that would come back changed: got error %v, want ErrInvalid", name, err)
		}
		got, ok, err := c.Get(t.Context(), "k")
		if diff := cmp.Diff(want, got); !ok || err != nil || diff != "" {
			t.Errorf("%s: %v, %v (-want +got):\n%s", name, ok, err, diff)
		}
	}
	for name, codec := range map[string]jcache.Codec[order]{"json": jcache.JSON[order](), "gob": jcache.Gob[order](), "tagged": jcache.Tagged[order]()} {
		for _, damaged := range []string{"", "{", "\x00", "hunter2", `{"Number":"hunter2"}`} {
			if _, err := codec.Decode([]byte(damaged)); !errors.Is(err, jcache.ErrUndecodable) && !errors.Is(err, jcache.ErrTypeMismatch) || strings.Contains(err.Error(), "hunter2") {
				t.Errorf("%s: damaged bytes give error %v", name, err)
			}
		}
	}
	ids := map[byte]bool{jcache.JSON[int]().ID(): true, jcache.Gob[int]().ID(): true, jcache.Tagged[int]().ID(): true}
	if len(ids) != 3 {
		t.Error("two codecs have the same identifier")
	}
}

// The configuration can choose a cache's codec by its name, and the program only where it
// does not.
func TestDeclaredCodec(t *testing.T) {
	ctx := t.Context()
	m := openMemory(t, jcache.ManagerOptions{Caches: []jcache.CacheConfig{{Name: "json", Codec: "json"}, {Name: "open"}}})
	for name, declared := range map[string]bool{"json": true, "open": false} {
		c, err := jcache.GetCache[string, map[string]float64](ctx, m, name)
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Put(ctx, "k", map[string]float64{"a": 1}); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(ctx); err != nil {
			t.Fatal(err)
		}
		opts := jcache.Options[string, map[string]float64]{Codec: jcache.Gob[map[string]float64]()}
		if _, err := jcache.CreateCache(ctx, m, name, opts); errors.Is(err, jcache.ErrInvalid) != declared {
			t.Errorf("%s: a codec of the program beside the configuration's: got error %v", name, err)
		}
	}
	if _, err := jcache.NewManager(nil, jcache.ManagerOptions{Caches: []jcache.CacheConfig{{Name: "c", Codec: "xml"}}}); !errors.Is(err, jcache.ErrInvalid) {
		t.Errorf("an unknown codec: got error %v, want ErrInvalid", err)
	}
}

// Keys that cannot be told apart by what is stored of them are refused when the cache is
// created.
func TestKeysAreInjectiveOrRefused(t *testing.T) {
	type tenantKey struct {
		Kind   string
		tenant int
	}
	if (tenantKey{"cart", 7}) == (tenantKey{"cart", 8}) {
		t.Fatal("these are different keys")
	}
	_, err := jcache.CreateCache(t.Context(), openMemory(t, jcache.ManagerOptions{}), "c", jcache.Options[[1]tenantKey, string]{})
	if !errors.Is(err, jcache.ErrInvalid) || !strings.Contains(err.Error(), "[].tenant: ") {
		t.Errorf("got error %v, want ErrInvalid with the path", err)
	}
	type jsonKey struct {
		Kind   string
		Tenant int `json:"-"`
	}
	c := create(t, jcache.Options[jsonKey, string]{})
	for _, tenant := range []int{7, 8} {
		if err := c.Put(t.Context(), jsonKey{"cart", tenant}, "of "+strings.Repeat("I", tenant)); err != nil {
			t.Fatal(err)
		}
	}
	if got, _, err := c.Get(t.Context(), jsonKey{"cart", 7}); got != "of IIIIIII" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}

// A refused value changes nothing: what was there stays. Values that contain themselves
// are refused, too.
func TestRefusedPutChangesNothing(t *testing.T) {
	type folder struct {
		Name   string
		Parent *folder
		Sub    []*folder
	}
	ctx, c := t.Context(), create(t, jcache.Options[string, *folder]{})
	if err := c.Put(ctx, "k", &folder{Name: "old"}); err != nil {
		t.Fatal(err)
	}
	root := &folder{Name: "root"}
	root.Sub = []*folder{{Name: "sub", Parent: root}}
	_, _, getAndPut := c.GetAndPut(ctx, "k", root)
	_, replace := c.Replace(ctx, "k", root)
	_, compare := c.CompareAndReplace(ctx, "k", &folder{Name: "old"}, root)
	for name, err := range map[string]error{
		"Put": c.Put(ctx, "k", root), "PutAll": c.PutAll(ctx, map[string]*folder{"k": root}),
		"GetAndPut": getAndPut, "Replace": replace, "CompareAndReplace": compare,
	} {
		if !errors.Is(err, jcache.ErrInvalid) || !strings.Contains(err.Error(), "folder.Sub[].Parent") {
			t.Errorf("%s: got error %v, want ErrInvalid with the path", name, err)
		}
	}
	if got, ok, err := c.Get(ctx, "k"); !ok || err != nil || got.Name != "old" {
		t.Errorf("afterwards: %v, %v, %v", got, ok, err)
	}
}
