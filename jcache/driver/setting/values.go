package setting

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Values are a provider's settings as given, or their defaults. Every declared
// setting has a value; asking for one that was not declared gives a zero value.
type Values struct {
	values map[string]any
	given  []string
	unread []string
}

// Unread stands among the given values for one that could not be read, and was reported:
// nothing more is said of it, and the setting has its default.
type Unread struct{}

// NewValues completes the settings that were given, each of the Go type of its
// kind, with the defaults of the declared ones. Names that are not declared,
// values of another type and missing required settings are errors, joined. Whether the values
// are good is for Validate.
func NewValues(settings []Setting, given map[string]any) (Values, error) {
	v, err := Complete(settings, given)
	if err != nil {
		return Values{}, err
	}
	return v, nil
}

// Complete is NewValues for a check that goes on: with an error there are values too, in which
// what is wrong or missing counts as Unread.
func Complete(settings []Setting, given map[string]any) (Values, error) {
	v := Values{values: make(map[string]any, len(settings))}
	var errs []error
	for _, s := range settings {
		value, ok := given[s.Name]
		if value == (Unread{}) {
			v.unread = append(v.unread, s.Name)
			ok = false
		} else if !ok && s.Required {
			errs = append(errs, fmt.Errorf("%s is required", s.Name))
			v.unread = append(v.unread, s.Name)
		} else if ok && !s.accepts(value) {
			errs = append(errs, fmt.Errorf("%s takes a %s, not a %T", s.Name, s.Kind, value))
			v.unread = append(v.unread, s.Name)
			ok = false
		}
		if ok {
			v.given = append(v.given, s.Name)
		} else {
			var err error
			if value, err = s.defaultValue(); err != nil {
				errs = append(errs, err)
			}
		}
		v.values[s.Name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if _, ok := v.values[name]; !ok {
			errs = append(errs, fmt.Errorf("unknown setting %q", name))
		}
	}
	return v, errors.Join(errs...)
}

func (s Setting) defaultValue() (any, error) {
	if s.Kind == KindGroup {
		return NewValues(s.Group, nil)
	}
	if s.Default != "" {
		return s.parse(s.Default)
	}
	return s.zero(), nil
}

// zero is the value of a setting that has no default and was not given.
func (s Setting) zero() any {
	return [...]any{"", "", int64(0), false, time.Duration(0), int64(0), []string(nil), Values{}}[s.Kind]
}

func (s Setting) accepts(value any) bool {
	var ok bool
	switch s.Kind {
	case KindString, KindFile:
		_, ok = value.(string)
	case KindInt, KindSize:
		_, ok = value.(int64)
	case KindBool:
		_, ok = value.(bool)
	case KindDuration:
		_, ok = value.(time.Duration)
	case KindList:
		_, ok = value.([]string)
	case KindGroup:
		_, ok = value.(Values)
	}
	return ok
}

// Given reports whether the setting was given, rather than left to its default.
func (v Values) Given(name string) bool { return slices.Contains(v.given, name) }

// String returns a KindString or a KindFile.
func (v Values) String(name string) string { s, _ := v.values[name].(string); return s }

// Int returns a KindInt, or a KindSize in bytes.
func (v Values) Int(name string) int64 { n, _ := v.values[name].(int64); return n }

// Bool returns a KindBool.
func (v Values) Bool(name string) bool { b, _ := v.values[name].(bool); return b }

// Duration returns a KindDuration.
func (v Values) Duration(name string) time.Duration { d, _ := v.values[name].(time.Duration); return d }

// List returns a KindList. The slice must not be modified.
func (v Values) List(name string) []string { l, _ := v.values[name].([]string); return l }

// Group returns a KindGroup.
func (v Values) Group(name string) Values { g, _ := v.values[name].(Values); return g }

// set reports whether the setting, such as tls.caFile, was given as more than nothing: not as
// "", 0 or false. A group is set if anything in it is.
func (v Values) set(path string) bool {
	name, inner, nested := strings.Cut(path, ".")
	if nested {
		return v.Group(name).set(inner)
	}
	if !v.Given(name) {
		return false
	}
	switch value := v.values[name].(type) {
	case []string:
		return len(value) > 0
	case Values:
		return slices.ContainsFunc(value.given, value.set)
	default:
		return value != "" && value != int64(0) && value != false && value != time.Duration(0)
	}
}

// wasUnread reports whether the setting, or something in it, was given and could not be read.
func (v Values) wasUnread(path string) bool {
	name, inner, nested := strings.Cut(path, ".")
	switch {
	case slices.Contains(v.unread, name):
		return true
	case nested:
		return v.Group(name).wasUnread(inner)
	}
	g := v.Group(name)
	return len(g.unread) > 0 || slices.ContainsFunc(g.given, g.wasUnread)
}
