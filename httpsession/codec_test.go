package httpsession_test

import (
	"errors"
	"math/big"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
)

type (
	cart struct {
		Items []item
		Note  string `json:"-"`
	}
	item struct {
		Name  string
		Price any
	}
	launch struct {
		time.Time
		Name string
	}
	secret struct{ n int }
)

// in runs a handler within a request of the browser's.
func (b *browser) in(m *httpsession.Manager, h http.HandlerFunc) {
	b.t.Helper()
	b.get(m.Handler(h), "/")
}

// What Set accepts Get gives back equal; the rest is refused with the path to it, and the
// value that was there stays.
func TestAttributesComeBackOrAreRefused(t *testing.T) {
	site := newSite(t, httpsession.Options{}, nil)
	m, b := site.manager(), newBrowser(t)
	kept := cart{Items: []item{{"pen", int64(3)}}, Note: "fragile"}
	start := launch{time.Unix(5, 0).UTC(), "Ada"}
	b.in(m, func(_ http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r)
		for name, value := range map[string]any{"cart": kept, "rat": big.NewRat(1, 3), "launch": start, "list": []int{1, 2, 3}} {
			if err := s.Set(name, value); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
	b.in(m, func(_ http.ResponseWriter, r *http.Request) {
		s := httpsession.From(r)
		for path, value := range map[string]any{
			"cart.Items[].Price: a chan int ": cart{Items: []item{{"x", make(chan int)}}},
			"cart.Items[].Price: ":            cart{Items: []item{{"x", secret{1}}}},
			"secret: ":                        secret{1},
		} {
			if err := s.Set("cart", value); !errors.Is(err, jcache.ErrInvalid) || !strings.Contains(err.Error(), path) {
				t.Errorf("%T: got error %v, want ErrInvalid with %q", value, err, path)
			}
		}
		_, err := httpsession.Update(r.Context(), s, "cart", func(c cart, _ bool) (cart, error) {
			c.Items[0].Price = func() {}
			return c, nil
		})
		if !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("Update: got error %v, want ErrInvalid", err)
		}
	})
	b.in(m, func(_ http.ResponseWriter, r *http.Request) {
		s, ctx := httpsession.From(r), r.Context()
		if got, ok, err := httpsession.Get[cart](ctx, s, "cart"); !ok || err != nil || !reflect.DeepEqual(got, kept) {
			t.Errorf("cart: %v, %v, %v", got, ok, err)
		}
		if got, ok, err := httpsession.Get[launch](ctx, s, "launch"); !ok || err != nil || got != start {
			t.Errorf("launch: %v, %v, %v", got, ok, err)
		}
		if got, ok, err := httpsession.Get[*big.Rat](ctx, s, "rat"); !ok || err != nil || got.Cmp(big.NewRat(1, 3)) != 0 {
			t.Errorf("rat: %v, %v, %v", got, ok, err)
		}
		if got, ok, err := httpsession.Get[[2]int](ctx, s, "list"); ok || !errors.Is(err, jcache.ErrTypeMismatch) {
			t.Errorf("a list of three read as an array of two: %v, %v, %v", got, ok, err)
		}
		if got, ok, err := httpsession.Get[secret](ctx, s, "cart"); ok || !errors.Is(err, jcache.ErrTypeMismatch) {
			t.Errorf("a cart read as something else: %v, %v, %v", got, ok, err)
		}
	})
}

// Attributes say which codec wrote them, so that sessions stay readable when the setting
// changes.
func TestCodecOfAttributes(t *testing.T) {
	site := newSite(t, httpsession.Options{}, nil)
	b := newBrowser(t)
	want := item{Name: "pen", Price: 1.5}
	names := []string{"", "cbor", "json", "gob"}
	var managers []*httpsession.Manager
	for _, name := range names {
		site.opts.Codec = name
		managers = append(managers, site.manager())
	}
	for i, m := range managers {
		b.in(m, func(_ http.ResponseWriter, r *http.Request) {
			if err := httpsession.From(r).Set("by "+names[i], want); err != nil {
				t.Errorf("%s: %v", names[i], err)
			}
		})
	}
	for _, m := range managers {
		for _, name := range names {
			b.in(m, func(_ http.ResponseWriter, r *http.Request) {
				got, ok, err := httpsession.Get[item](r.Context(), httpsession.From(r), "by "+name)
				if !ok || err != nil || got != want {
					t.Errorf("by %s: %v, %v, %v", name, got, ok, err)
				}
			})
		}
	}
	b.in(managers[2], func(_ http.ResponseWriter, r *http.Request) {
		if err := httpsession.From(r).Set("v", item{Price: 1}); !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("an int that JSON would give back as a float: got error %v, want ErrInvalid", err)
		}
	})
	if _, err := (httpsession.Options{Codec: "xml"}).WithDefaults(); err == nil {
		t.Error("a codec that nobody knows is accepted")
	}
}

func BenchmarkGet(b *testing.B) {
	b.Run("bool", func(b *testing.B) { benchmarkGet(b, true) })
	b.Run("int", func(b *testing.B) { benchmarkGet(b, 1000) })
	b.Run("int64", func(b *testing.B) { benchmarkGet(b, int64(1000)) })
	b.Run("float64", func(b *testing.B) { benchmarkGet(b, 1.5) })
	b.Run("bytes", func(b *testing.B) { benchmarkGet(b, []byte("some bytes")) })
	b.Run("time", func(b *testing.B) { benchmarkGet(b, time.Unix(1, 2).UTC()) })
	b.Run("duration", func(b *testing.B) { benchmarkGet(b, time.Second) })
	b.Run("struct", func(b *testing.B) { benchmarkGet(b, item{Name: "pen"}) })
}

// benchmarkGet reads an attribute of a session that the request has read.
func benchmarkGet[T any](b *testing.B, value T) {
	site, visitor := newSite(b, httpsession.Options{}, nil), newBrowser(b)
	m := site.manager()
	visitor.in(m, func(_ http.ResponseWriter, r *http.Request) {
		if err := httpsession.From(r).Set("name", value); err != nil {
			b.Fatal(err)
		}
	})
	visitor.in(m, func(_ http.ResponseWriter, r *http.Request) {
		s, ctx := httpsession.From(r), r.Context()
		b.ReportAllocs()
		for b.Loop() {
			if _, ok, err := httpsession.Get[T](ctx, s, "name"); !ok || err != nil {
				b.Fatal(ok, err)
			}
		}
	})
}
