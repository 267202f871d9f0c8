package codec

import (
	"fmt"
	"reflect"
	"regexp"
	"strings"
)

// A fault says what is wrong with a value, and where in it: a path such as
// "Cart.Items[].Price". It quotes nothing of the value.
type fault struct {
	kind error // ErrInvalid, ErrTypeMismatch or ErrUndecodable
	path string
	why  string
}

func (f *fault) Error() string {
	if f.path == "" {
		return f.kind.Error() + ": " + f.why
	}
	return f.kind.Error() + ": " + strings.TrimPrefix(f.path, ".") + ": " + f.why
}

func (f *fault) Unwrap() error { return f.kind }

func refuse(format string, args ...any) error {
	return &fault{kind: ErrInvalid, why: fmt.Sprintf(format, args...)}
}

func mismatch(format string, args ...any) error {
	return &fault{kind: ErrTypeMismatch, why: fmt.Sprintf(format, args...)}
}

// maxPath bounds the length of a path, in bytes.
const maxPath = 200

// at says that what is wrong is wrong within a part of the value.
func at(part string, err error) error {
	f, ok := err.(*fault) //nolint:errorlint // nothing wraps faults here
	if !ok {
		return err
	}
	path := part + f.path
	if len(path) > maxPath {
		path = strings.ToValidUTF8(path[:maxPath], "") + "…"
	}
	return &fault{kind: f.kind, path: path, why: f.why}
}

// inside is at for what is within a value in an interface.
func inside(t reflect.Type, err error) error {
	if f, ok := err.(*fault); !ok || f.path == "" { //nolint:errorlint // nothing wraps faults here
		return err
	}
	return at(".("+t.String()+")", err)
}

// packagePaths are what the name of a generic type has before the names of packages.
var packagePaths = regexp.MustCompile(`[^][,*() ]*/`)

// within is at for the type that the value as a whole has.
func within(t reflect.Type, err error) error {
	for t.Kind() == reflect.Pointer && t.Name() == "" {
		t = t.Elem()
	}
	if t.Kind() == reflect.Interface {
		return err
	}
	if t.Name() == "" {
		return at(t.String(), err)
	}
	return at(packagePaths.ReplaceAllString(t.Name(), ""), err)
}
