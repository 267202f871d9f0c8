package codec

import (
	"reflect"
	"time"
	"unsafe"
)

// difference returns where two values of one type differ. It is stricter than == and
// reflect.DeepEqual in nothing; other than for that, not-a-number is equal to itself,
// times are equal that are the same moment in the same zone, and types with a method Equal
// or Cmp say themselves what is.
func difference(a, b reflect.Value) (part string, differs bool) {
	return (&comparison{}).of(a, b, false, 0)
}

type comparison struct{ seen map[[2]unsafe.Pointer]bool }

// of compares. Inside of what a type hides and writes itself, nil and empty are the same.
func (c *comparison) of(a, b reflect.Value, inside bool, depth int) (string, bool) {
	if a.IsValid() != b.IsValid() || a.IsValid() && a.Type() != b.Type() || depth > 4*maxDepth { // structs count here
		return "", true
	}
	if !a.IsValid() {
		return "", false
	}
	a, b = revealed(a), revealed(b)
	if equal, known := ownEqual(a, b); known {
		return "", !equal
	}
	switch a.Kind() {
	case reflect.Slice, reflect.Map, reflect.Pointer, reflect.Interface, reflect.Func, reflect.Chan, reflect.UnsafePointer:
		if inside && (a.Kind() == reflect.Slice || a.Kind() == reflect.Map) && a.Len() == 0 && b.Len() == 0 {
			return "", false
		}
		if a.IsNil() || b.IsNil() {
			return "", a.IsNil() != b.IsNil()
		}
	}
	switch a.Kind() {
	case reflect.Float32, reflect.Float64:
		return "", a.Float() != b.Float() && (a.Float() == a.Float() || b.Float() == b.Float())
	case reflect.Struct:
		for i := range a.NumField() {
			if a.Type().Field(i).Tag.Get("keepsake") == "-" {
				continue
			}
			if part, differs := c.of(a.Field(i), b.Field(i), inside || !a.Type().Field(i).IsExported() && methodsOf(a.Type(), false) != nil, depth+1); differs {
				return "." + a.Type().Field(i).Name + part, true
			}
		}
		return "", false
	case reflect.Slice, reflect.Array:
		if a.Len() != b.Len() {
			return "", true
		}
		for i := range a.Len() {
			if part, differs := c.of(a.Index(i), b.Index(i), inside, depth+1); differs {
				return "[]" + part, true
			}
		}
		return "", false
	case reflect.Map:
		if a.Len() != b.Len() {
			return "", true
		}
		for i := a.MapRange(); i.Next(); {
			if part, differs := c.of(i.Value(), b.MapIndex(i.Key()), inside, depth+1); differs {
				return "[]" + part, true
			}
		}
		return "", false
	case reflect.Pointer:
		both := [2]unsafe.Pointer{a.UnsafePointer(), b.UnsafePointer()}
		if both[0] == both[1] || c.seen[both] {
			return "", false
		}
		if c.seen == nil {
			c.seen = make(map[[2]unsafe.Pointer]bool)
		}
		c.seen[both] = true
		return c.of(a.Elem(), b.Elem(), inside, depth+1)
	case reflect.Interface:
		return c.of(a.Elem(), b.Elem(), inside, depth+1)
	case reflect.Func, reflect.Chan, reflect.UnsafePointer:
		return "", a.Pointer() != b.Pointer()
	}
	return "", !a.Equal(b)
}

// revealed makes the methods of a value callable that was read from a field which is not
// exported.
func revealed(v reflect.Value) reflect.Value {
	if v.CanInterface() || !v.CanAddr() {
		return v
	}
	return reflect.NewAt(v.Type(), v.Addr().UnsafePointer()).Elem()
}

// ownEqual asks the type of two values whether they are equal.
func ownEqual(a, b reflect.Value) (equal, known bool) {
	if !a.CanInterface() || !b.CanInterface() {
		return false, false
	}
	if a.Type() == timeType {
		x, y := a.Interface().(time.Time), b.Interface().(time.Time)
		_, offset := x.Zone()
		_, other := y.Zone()
		return x.Equal(y) && offset == other, true
	}
	if a.Kind() == reflect.Pointer && (a.IsNil() || b.IsNil()) || a.Kind() == reflect.Interface {
		return false, false
	}
	if a.Kind() != reflect.Pointer && a.CanAddr() && b.CanAddr() {
		if equal, known = ownEqual(a.Addr(), b.Addr()); known {
			return equal, known
		}
	}
	for _, name := range [...]string{"Equal", "Cmp"} {
		m, ok := a.Type().MethodByName(name)
		if !ok || m.Type.NumIn() != 2 || m.Type.NumOut() != 1 {
			continue
		}
		other := b
		if in := m.Type.In(1); in != b.Type() {
			if b.Kind() != reflect.Pointer || in != b.Type().Elem() {
				continue
			}
			other = b.Elem()
		}
		switch result := m.Func.Call([]reflect.Value{a, other})[0]; {
		case name == "Equal" && result.Kind() == reflect.Bool:
			return result.Bool(), true
		case name == "Cmp" && result.CanInt():
			return result.Int() == 0, true
		}
	}
	return false, false
}
