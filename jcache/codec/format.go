package codec

import (
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
)

// A Format encodes values of any type; Of makes a Codec of it. Its methods may be called
// by many goroutines at once.
type Format interface {
	// ID tells what different formats wrote apart. Formats of applications use
	// 128 to 255.
	ID() byte
	// Append appends to dst the encoded value that source points to. What would not
	// come back equal should be an error that wraps ErrInvalid.
	Append(dst []byte, source any) ([]byte, error)
	// Decode stores the value in what target points to. It must not change data but
	// may keep it.
	Decode(data []byte, target any) error
}

// Default is the name of the format of Tagged.
const Default = "cbor"

var formats = struct {
	sync.RWMutex
	byName map[string]Format
	byID   map[byte]Format
}{
	byName: map[string]Format{Default: taggedFormat{}, "json": jsonFormat{}, "gob": gobFormat{}},
	byID:   map[byte]Format{IDTagged: taggedFormat{}, IDJSON: jsonFormat{}, IDGob: gobFormat{}},
}

// RegisterFormat makes a format known by a name, for the configuration of caches and
// sessions, and by its ID, for reading what it wrote although another one is configured
// now. It is called when packages are initialised. A name or an ID that is taken is a
// mistake in the program and panics.
func RegisterFormat(name string, f Format) {
	formats.Lock()
	defer formats.Unlock()
	if formats.byName[name] != nil || formats.byID[f.ID()] != nil || name == "" {
		panic(fmt.Sprintf("codec: there is another format %q, or another one of ID %d", name, f.ID()))
	}
	formats.byName[name], formats.byID[f.ID()] = f, f
}

// FormatOf returns the format of a name: "cbor", the default, which "" stands for too;
// "json", "gob", or one that was registered. Another name matches ErrInvalid.
func FormatOf(name string) (Format, error) {
	if name == "" {
		name = Default
	}
	formats.RLock()
	defer formats.RUnlock()
	if f := formats.byName[name]; f != nil {
		return f, nil
	}
	return nil, fmt.Errorf("%w: there is no codec of that name; see codec.RegisterFormat", ErrInvalid)
}

// Formats returns the names that FormatOf knows, sorted.
func Formats() []string {
	formats.RLock()
	defer formats.RUnlock()
	return slices.Sorted(maps.Keys(formats.byName))
}

// AppendAs is Append in a format of choice. Decode reads it whichever it was.
func AppendAs(f Format, dst []byte, value any) ([]byte, error) {
	if value == nil || f.ID() == IDTagged {
		return Append(dst, value)
	}
	source := reflect.New(reflect.TypeOf(value))
	source.Elem().Set(reflect.ValueOf(value))
	return f.Append(append(dst, tagFormat, f.ID()), source.Interface())
}

func decodeFormat(body []byte, target reflect.Value) error {
	if len(body) == 0 {
		return errDamaged
	}
	formats.RLock()
	f := formats.byID[body[0]]
	formats.RUnlock()
	if f == nil {
		return &fault{kind: ErrUndecodable, why: fmt.Sprintf("the value was written with codec %d, which is not registered in this program", body[0])}
	}
	return f.Decode(body[1:], target.Addr().Interface())
}

// taggedFormat is Tagged for any type.
type taggedFormat struct{}

func (taggedFormat) ID() byte { return IDTagged }

func (taggedFormat) Append(dst []byte, source any) ([]byte, error) {
	v := reflect.ValueOf(source).Elem()
	if v.Kind() == reflect.Interface {
		return appendInterface(dst, v.Interface())
	}
	return Append(dst, v.Interface())
}

func (taggedFormat) Decode(data []byte, target any) error { return decodeInto(data, target) }
