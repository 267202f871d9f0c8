package driver

import (
	"fmt"
	"slices"
	"time"
)

// Values are a provider's settings as given, or their defaults. Every declared
// setting has a value; asking for one that was not declared gives a zero value.
type Values struct {
	values map[string]any
	given  []string
}

// NewValues completes the settings that were given, each of the Go type of its
// kind, with the defaults of the declared ones. Names that are not declared,
// values of another type and missing required settings are errors.
func NewValues(settings []Setting, given map[string]any) (Values, error) {
	v := Values{values: make(map[string]any, len(settings))}
	for _, s := range settings {
		value, ok := given[s.Name]
		if ok {
			v.given = append(v.given, s.Name)
		} else if s.Required {
			return Values{}, fmt.Errorf("%s is required", s.Name)
		} else {
			var err error
			if value, err = s.defaultValue(); err != nil {
				return Values{}, err
			}
		}
		if !s.accepts(value) {
			return Values{}, fmt.Errorf("%s takes a %s, not a %T", s.Name, s.Kind, value)
		}
		v.values[s.Name] = value
	}
	for name := range given {
		if _, ok := v.values[name]; !ok {
			return Values{}, fmt.Errorf("unknown setting %q", name)
		}
	}
	return v, nil
}

func (s Setting) defaultValue() (any, error) {
	if s.Kind == KindGroup {
		return NewValues(s.Group, nil)
	}
	if s.Default != "" {
		s.Min, s.Max, s.OneOf = 0, 0, nil
		if s.Kind == KindDuration || s.Kind == KindInt {
			s.Min = -1 << 63
		}
		return s.parse(s.Default)
	}
	return [...]any{"", "", int64(0), false, time.Duration(0), int64(0), []string(nil)}[s.Kind], nil
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
