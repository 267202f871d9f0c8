// Package setting is how a provider declares its settings, once: name, kind, default,
// bounds, relations to others, and the field of its options that takes the value. Files are
// parsed and checked by the declarations, whole configurations are checked with all their
// problems together, and keepsake check, the reference and the schemas are made of them.
//
//	var settings = []setting.Setting{
//		setting.Into(setting.Setting{Name: "servers", Required: true, Doc: "Addresses.", Check: addresses},
//			func(o *Options) *[]string { return &o.Servers }),
//		setting.Into(setting.Setting{Name: "user", Doc: "Who this is."}, func(o *Options) *string { return &o.User }),
//		…
//	}
//
//	var rules = []setting.Rule{setting.Together("user", "password")}
//
// A provider that has no options of its own leaves Into out, and asks Values.
package setting

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Setting declares one property of a provider.
type Setting struct {
	// Name is written in lowerCamelCase.
	Name string
	Kind Kind
	// Doc says what the setting does and what its extreme values mean.
	Doc string
	// Default is the value's text when it is not given; it is not checked
	// against Min, Max, OneOf and Check. Empty: the zero value of the kind.
	Default string
	// Required settings have no default.
	Required bool
	// Secret values are never printed.
	Secret bool
	// OneOf lists the allowed texts, if they are few.
	OneOf []string
	// Min and Max bound an Int, a Size in bytes or a Duration in nanoseconds.
	// Max zero: no upper bound.
	Min, Max int64
	// Unit is what a bare number counts in a Duration. Zero: seconds.
	Unit time.Duration
	// Agree returns the value in a form that is the same for all processes that share the caches
	// as they should, and what is lost if it is not; nothing: they only behave differently.
	// Nil: each may have its own value. A secret has none.
	Agree func(value any) (text, effect string)
	// Check refuses what the rest of the declaration allows. The value has the
	// type of the kind; of a list, it may be a part. The error shows no secret. Nil:
	// there is nothing more to check.
	Check func(value any) error
	// Group holds the settings of a KindGroup, and Rules relate them.
	Group []Setting
	Rules []Rule

	field field
}

// Kind is the type of a setting's value.
type Kind uint8

// The kinds of settings, with the Go type of their values.
const (
	KindString   Kind = iota // string
	KindFile                 // string: a path, resolved; empty if none is meant
	KindInt                  // int64
	KindBool                 // bool
	KindDuration             // time.Duration
	KindSize                 // int64, bytes
	KindList                 // []string
	KindGroup                // Values
)

// String names the kind as an operator would.
func (k Kind) String() string {
	return [...]string{"text", "file name", "whole number", "true or false", "duration", "size", "list", "group"}[k]
}

// Parse turns the text of a setting into its value and checks the value against
// the declaration. A list is separated by commas. Errors do not repeat the
// text of a secret.
func (s Setting) Parse(text string) (any, error) {
	value, err := s.parse(text)
	if err != nil && s.Secret {
		return nil, fmt.Errorf("is not acceptable as %s", s.Kind)
	}
	if err != nil {
		return nil, err
	}
	return value, s.Valid(value)
}

func (s Setting) parse(text string) (any, error) {
	switch s.Kind {
	case KindString, KindFile:
		return text, nil
	case KindInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, nil
	case KindBool:
		switch text {
		case "true":
			return true, nil
		case "false":
			return false, nil
		}
		return nil, fmt.Errorf("%q is neither true nor false", text)
	case KindDuration:
		unit := s.Unit
		if unit == 0 {
			unit = time.Second
		}
		return anyOf(ParseDuration(text, unit))
	case KindSize:
		return anyOf(ParseSize(text))
	case KindList:
		return SplitList(text), nil
	default:
		return nil, errors.New("is a group of settings, not a single value")
	}
}

func anyOf[T any](value T, err error) (any, error) { return value, err }

// Valid checks a value, of the type of the kind, against the bounds, the allowed texts
// and Check. The error does not repeat a secret.
func (s Setting) Valid(value any) error {
	var err error
	switch v := value.(type) {
	case string:
		if len(s.OneOf) > 0 && !slices.Contains(s.OneOf, v) {
			err = fmt.Errorf("%q is not one of %s", v, strings.Join(s.OneOf, ", "))
		}
	case int64:
		unit := ""
		if s.Kind == KindSize {
			unit = " bytes"
		}
		err = s.within(v, func(n int64) string { return strconv.FormatInt(n, 10) + unit })
	case time.Duration:
		err = s.within(int64(v), func(n int64) string { return FormatDuration(time.Duration(n)) })
	}
	switch {
	case err != nil && s.Secret:
		return fmt.Errorf("is not acceptable as %s", s.Kind)
	case err != nil:
		return err
	case s.Check != nil:
		return s.Check(value)
	}
	return nil
}

func (s Setting) within(n int64, format func(int64) string) error {
	if n < s.Min {
		return fmt.Errorf("%s is less than %s", format(n), format(s.Min))
	}
	if s.Max != 0 && n > s.Max {
		return fmt.Errorf("%s is more than %s", format(n), format(s.Max))
	}
	return nil
}

// SplitList splits a comma-separated text, trims spaces and drops empty parts.
func SplitList(text string) []string {
	var list []string
	for part := range strings.SplitSeq(text, ",") {
		if part = strings.TrimSpace(part); part != "" {
			list = append(list, part)
		}
	}
	return list
}
