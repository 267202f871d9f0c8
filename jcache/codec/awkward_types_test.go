package codec_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
)

type (
	texter   struct{ v string }
	gobber   struct{ v string }
	jsoner   struct{ v string }
	binarer  struct{ v string }
	cborer   struct{ v string }
	pointerM struct{ v string } // methods on the pointer only
	half     struct{ v string } // written, never read
	forgets  struct{ a, b string }
	settles  struct{ a, b string } // forgets, and says that it does not matter
	failing  struct{ v string }
	prefers  struct{ v string } // has text and binary
	opaque   struct{ n int }
	mixed    struct {
		Name string
		n    int
	}
	excused struct {
		Name string
		n    int            `keepsake:"-"` //nolint:unused // likewise
		mu   sync.Mutex     `keepsake:"-"` //nolint:unused // it is there to be left out
		F    func()         `keepsake:"-"`
		C    map[string]any `keepsake:"-"`
	}
	renamed struct {
		A int `keepsake:"b"`
		B int `keepsake:"a"`
	}
	colliding struct {
		A int `keepsake:"B"`
		B int
	}
	tags struct {
		Dash     string `json:"-"`
		CBORDash string `cbor:"-"`
		Omit     []int  `json:"omit,omitempty"`
		Zero     int    `json:"zero,omitzero"`
		Quoted   int    `json:"quoted,string"`
		Key      int    `cbor:"1,keyasint"`
		Same     int    `cbor:"x"`
		Again    int    `cbor:"x"`
		_        int
	}
	toArray struct {
		_ struct{} `cbor:",toarray"`
		A int
		B string
	}
	event struct {
		time.Time
		Name string
	}
	eventPointer struct {
		*time.Time
		Name string
	}
	eventHidden struct {
		time.Time
		Name string
		n    int
	}
	embedsUnexported struct {
		base
		ID int
	}
	base          struct{ ID int }
	embedsPointer struct{ *Exported }
	embedsHidden  struct{ *base }
	Exported      struct{ ID int }
	embedsTexter  struct {
		texter
		Name string
	}
	embedsNumber struct {
		Number
		Name string
	}
	Number                       int
	interfaced                   struct{ S fmt.Stringer }
	node                         struct{ Next *node }
	tree                         struct{ Sub []tree }
	treeMap                      map[string]treeMap
	listOfSelf                   []listOfSelf
	pointerSelf                  *pointerSelf
	mutual                       struct{ B *mutualB }
	mutualB                      struct{ A []mutual }
	number                       int
	upper                        string
	enum                         uint8
	blob2                        []uint8
	elements                     []enum
	generic[K comparable, V any] struct {
		M map[K]V
		S []V
	}
	everything struct {
		B   bool
		I   int
		I8  int8
		I16 int16
		I32 int32
		I64 int64
		U   uint
		U8  uint8
		U16 uint16
		U32 uint32
		U64 uint64
		UP  uintptr
		F32 float32
		F64 float64
		S   string
		BS  []byte
		A   [4]byte
		T   time.Time
		D   time.Duration
		P   *int
		PP  **int
		PS  *[]int
		M   map[string]int
		N   map[int]map[bool]string
		Any any
		Err error
	}
	speaks struct{ Text string }
)

func (s speaks) String() string                   { return s.Text }
func (t texter) MarshalText() ([]byte, error)     { return []byte(t.v), nil }
func (t *texter) UnmarshalText(b []byte) error    { t.v = string(b); return nil }
func (g gobber) GobEncode() ([]byte, error)       { return []byte(g.v), nil }
func (g *gobber) GobDecode(b []byte) error        { g.v = string(b); return nil }
func (j jsoner) MarshalJSON() ([]byte, error)     { return json.Marshal(j.v) }
func (j *jsoner) UnmarshalJSON(b []byte) error    { return json.Unmarshal(b, &j.v) }
func (b binarer) MarshalBinary() ([]byte, error)  { return []byte(b.v), nil }
func (b *binarer) UnmarshalBinary(d []byte) error { b.v = string(d); return nil }
func (c cborer) MarshalCBOR() ([]byte, error) {
	return append([]byte{0x60 + byte(len(c.v))}, c.v...), nil
}
func (c *cborer) UnmarshalCBOR(d []byte) error     { c.v = string(d[1:]); return nil }
func (p *pointerM) MarshalBinary() ([]byte, error) { return []byte(p.v), nil }
func (p *pointerM) UnmarshalBinary(d []byte) error { p.v = string(d); return nil }
func (h half) MarshalText() ([]byte, error)        { return []byte(h.v), nil }
func (f forgets) MarshalText() ([]byte, error)     { return []byte(f.a), nil }
func (f *forgets) UnmarshalText(b []byte) error    { f.a = string(b); return nil }
func (s settles) MarshalText() ([]byte, error)     { return []byte(s.a), nil }
func (s *settles) UnmarshalText(b []byte) error    { s.a = string(b); return nil }
func (s settles) Equal(o settles) bool             { return s.a == o.a }
func (f failing) MarshalText() ([]byte, error)     { return nil, errors.New("hunter2") }
func (f *failing) UnmarshalText([]byte) error      { return nil }
func (p prefers) MarshalText() ([]byte, error)     { return []byte("text"), nil }
func (p *prefers) UnmarshalText([]byte) error      { p.v = "text"; return nil }
func (p prefers) MarshalBinary() ([]byte, error)   { return []byte(p.v), nil }
func (p *prefers) UnmarshalBinary(b []byte) error  { p.v = string(b); return nil }
func (u upper) MarshalText() ([]byte, error)       { return []byte(strings.ToUpper(string(u))), nil }
func (u *upper) UnmarshalText(b []byte) error      { *u = upper(b); return nil }
func (e enum) MarshalJSON() ([]byte, error)        { return json.Marshal(fmt.Sprint("enum ", uint8(e))) }

func init() {
	codec.RegisterType[speaks]("codec_test.speaks")
	codec.RegisterType[box[int]]("codec_test.box")
	codec.RegisterType[texter]("codec_test.texter")
	codec.RegisterType[opaque]("codec_test.opaque")
}

type locale struct {
	id   uint16
	full any
}

func (l locale) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%d %v", l.id, l.full), nil }

func (l *locale) UnmarshalText(b []byte) error {
	var full string
	if _, err := fmt.Sscan(string(b), &l.id, &full); err != nil {
		return err
	}
	if l.full = nil; full != "<nil>" {
		l.full = full
	}
	return nil
}

type upperStringer string

func (u upperStringer) String() string { return strings.ToUpper(string(u)) }
