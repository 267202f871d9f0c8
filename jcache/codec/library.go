package codec

import (
	"bytes"
	"encoding/gob"
	"encoding/json"
	"fmt"
	"reflect"
	"sync"
)

// The formats of the standard library lose one thing or another, which no type tells. So
// what they wrote is read again at once and compared.

type jsonFormat struct{}

func (jsonFormat) ID() byte { return IDJSON }

func (f jsonFormat) Append(dst []byte, source any) ([]byte, error) {
	return appendChecked(f, "JSON", dst, source, json.Marshal)
}

func (jsonFormat) Decode(data []byte, target any) error {
	if err := json.Unmarshal(data, target); err != nil {
		return undecodable("JSON", err)
	}
	return nil
}

type gobFormat struct{}

func (gobFormat) ID() byte { return IDGob }

func (f gobFormat) Append(dst []byte, source any) ([]byte, error) {
	return appendChecked(f, "gob", dst, source, encodeGob)
}

// encodeGob makes errors of panics, for gob panics where it does not take a value, and calls
// methods on nil that nobody else would.
func encodeGob(source any) (data []byte, err error) {
	if v := reflect.ValueOf(source).Elem(); v.Kind() == reflect.Pointer {
		source = v.Interface()
	}
	err = asError(func() error {
		var buf bytes.Buffer
		err := gob.NewEncoder(&buf).Encode(source)
		data = buf.Bytes()
		return err
	})
	return data, err
}

func (gobFormat) Decode(data []byte, target any) error {
	if err := gob.NewDecoder(bytes.NewReader(data)).Decode(target); err != nil {
		return undecodable("gob", err)
	}
	return nil
}

// appendChecked encodes what source points to, and checks that it comes back. Errors leave
// out the text of their cause, which may quote the value.
func appendChecked(f Format, form string, dst []byte, source any, encode func(any) ([]byte, error)) ([]byte, error) {
	v := reflect.ValueOf(source).Elem()
	if err := deep(v, 0); err != nil {
		return nil, within(v.Type(), err)
	}
	data, err := encode(source)
	if err != nil {
		return nil, refuse("a %s cannot be encoded as %s (%T)", v.Type(), form, err)
	}
	back := reflect.New(v.Type())
	if err := asError(func() error { return f.Decode(data, back.Interface()) }); err != nil {
		return nil, refuse("a %s that is encoded as %s cannot be decoded again", v.Type(), form)
	}
	if part, differs := difference(v, back.Elem()); differs {
		return nil, within(v.Type(), at(part, refuse("%s would lose something of it; use the codec %s, or a type that %s can hold", form, Default, form)))
	}
	return append(dst, data...), nil
}

func undecodable(form string, cause error) error {
	return fmt.Errorf("%w: the value is not valid %s for its type (%T)", ErrUndecodable, form, cause)
}

// deep returns an error for a value that contains itself, or has too many levels.
func deep(v reflect.Value, depth int) error {
	if flat(v.Type()) {
		return nil
	}
	if err := tooDeep(depth); err != nil {
		return err
	}
	switch v.Kind() {
	case reflect.Interface:
		if !v.IsNil() {
			return deep(v.Elem(), depth)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			return deep(v.Elem(), depth+1)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			if err := deep(v.Field(i), depth); err != nil {
				return at("."+v.Type().Field(i).Name, err)
			}
		}
	case reflect.Slice, reflect.Array:
		for i := range v.Len() {
			if err := deep(v.Index(i), depth+1); err != nil {
				return at("[]", err)
			}
		}
	case reflect.Map:
		for i := v.MapRange(); i.Next(); {
			if err := deep(i.Value(), depth+1); err != nil {
				return at("[]", err)
			}
		}
	}
	return nil
}

var flatTypes sync.Map // reflect.Type -> bool

// flat reports whether values of the type cannot contain themselves, for neither does the
// type, and it has no interfaces.
func flat(t reflect.Type) bool {
	if known, ok := flatTypes.Load(t); ok {
		return known.(bool)
	}
	is := isFlat(t, make(map[reflect.Type]bool))
	flatTypes.Store(t, is)
	return is
}

// isFlat marks the types that it is within with true.
func isFlat(t reflect.Type, seen map[reflect.Type]bool) bool {
	if within, ok := seen[t]; ok {
		return !within
	}
	seen[t] = true
	defer func() { seen[t] = false }()
	switch t.Kind() {
	case reflect.Interface:
		return false
	case reflect.Pointer, reflect.Slice, reflect.Array, reflect.Map:
		return isFlat(t.Elem(), seen)
	case reflect.Struct:
		for i := range t.NumField() {
			if !isFlat(t.Field(i).Type, seen) {
				return false
			}
		}
	}
	return true
}
