package setting

import (
	"errors"
	"maps"
	"reflect"
	"slices"
	"time"
)

// A field is the part of a provider's options that takes the value of a setting. Both
// functions are given a pointer to the options.
type field struct {
	set func(options, value any) error
	// get returns the value of a field that is not zero. Its type is not that of the kind
	// if the field has another form than the setting.
	get func(options any) (value any, given bool)
}

// Into declares that the value of s goes into a field of the options O. The kind follows from
// the field's type, unless s says KindFile or KindSize.
func Into[O any, V string | bool | int | int64 | time.Duration | []string](s Setting, at func(*O) *V) Setting {
	if s.Kind == KindString {
		s.Kind = map[reflect.Kind]Kind{reflect.String: KindString, reflect.Bool: KindBool, reflect.Int: KindInt,
			reflect.Int64: KindInt, reflect.Slice: KindList}[reflect.TypeFor[V]().Kind()]
		if reflect.TypeFor[V]() == reflect.TypeFor[time.Duration]() {
			s.Kind = KindDuration
		}
	}
	s.field = field{
		set: func(options, value any) error {
			if n, ok := value.(int64); ok {
				reflect.ValueOf(at(options.(*O))).Elem().SetInt(n)
				return nil
			}
			*at(options.(*O)) = value.(V)
			return nil
		},
		get: func(options any) (any, bool) {
			v := reflect.ValueOf(at(options.(*O))).Elem()
			if v.Kind() == reflect.Int {
				return v.Int(), !v.IsZero()
			}
			return v.Interface(), !v.IsZero()
		},
	}
	return s
}

// Choice declares a setting whose texts are the names of the values of a field.
func Choice[O any, V comparable](s Setting, at func(*O) *V, words map[string]V) Setting {
	if s.OneOf == nil {
		s.OneOf = slices.Sorted(maps.Keys(words))
	}
	return Parsed(s, at, func(word string) (v V, err error) {
		v, ok := words[word]
		if !ok {
			return v, errors.New("is none of the words that are known")
		}
		return v, nil
	}).inverse(func(options any) (any, bool) {
		v := *at(options.(*O))
		for word, of := range words {
			if of == v {
				return word, word != s.Default
			}
		}
		return v, true
	})
}

func (s Setting) inverse(get func(options any) (any, bool)) Setting {
	s.field.get = get
	return s
}

// Parsed declares a text or a list that means a value of another type. What parse refuses is
// refused as Check does; of a list it may be given a part.
func Parsed[O any, T string | []string, V any](s Setting, at func(*O) *V, parse func(T) (V, error)) Setting {
	if reflect.TypeFor[T]().Kind() == reflect.Slice {
		s.Kind = KindList
	}
	check := s.Check
	s.Check = func(value any) error {
		if check != nil {
			if err := check(value); err != nil {
				return err
			}
		}
		_, err := parse(value.(T))
		return err
	}
	s.field = field{
		set: func(options, value any) error {
			v, err := parse(value.(T))
			if err == nil {
				*at(options.(*O)) = v
			}
			return err
		},
		get: func(options any) (any, bool) {
			v := reflect.ValueOf(at(options.(*O))).Elem()
			return v.Interface(), !v.IsZero()
		},
	}
	return s
}

// Fill puts values, the defaults included, into the fields of options, which is a pointer. What
// Validate refuses is left as it is.
func Fill(settings []Setting, v Values, options any) {
	for _, s := range settings {
		switch {
		case s.Kind == KindGroup && s.field.set == nil:
			Fill(s.Group, v.Group(s.Name), options)
		case s.field.set != nil:
			_ = s.field.set(options, v.values[s.Name]) // Validate reports it
		}
	}
}

// Of returns the values of options that a program has made, for Validate. Fields that are zero
// have not been given. options is a pointer.
func Of(settings []Setting, options any) Values {
	v := Values{values: make(map[string]any, len(settings))}
	for _, s := range settings {
		value, given := s.zero(), false
		switch {
		case s.Kind == KindGroup && s.field.get == nil:
			inner := Of(s.Group, options)
			value, given = inner, len(inner.given) > 0
		case s.field.get != nil:
			value, given = s.field.get(options)
		}
		v.values[s.Name] = value
		if given {
			v.given = append(v.given, s.Name)
		}
	}
	return v
}
