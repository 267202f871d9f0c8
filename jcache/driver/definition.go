package driver

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// A Definition is what a provider registers under the name that configuration
// files use.
type Definition struct {
	// Name is the provider's name: lower-case letters and digits.
	Name string
	// Doc says in one sentence what the provider is for.
	Doc string
	// URI says what kind of file the uri attribute names. Empty: the provider
	// has no file of its own, and a uri is refused.
	URI string
	// Settings are the properties that the provider understands; any other
	// is refused.
	Settings []Setting
	// Check looks at a configuration without opening anything: it reads
	// the file behind uri, if there is one. Notices are what an operator should
	// know although nothing is wrong. An error that begins with the name of a
	// setting and a colon, as in "tls.caFile: …", is shown at its place in the
	// file. Nil: there is nothing more to check.
	Check func(cfg Config) (notices []string, err error)
	// Open connects. It validates cfg before it does anything else, and on an
	// error it has closed whatever it opened.
	Open func(ctx context.Context, cfg Config) (Provider, error)
}

// Config is what a configuration file says about one provider.
type Config struct {
	// URI is the path of the provider's own file, resolved; or empty.
	URI string
	// Values are the settings, with their defaults filled in.
	Values Values
}

// A Setting declares one property of a provider.
type Setting struct {
	// Name is written in lowerCamelCase.
	Name string
	Kind Kind
	// Doc says what the setting does and what its extreme values mean.
	Doc string
	// Default is the value's text when it is not given; it is not checked
	// against Min, Max and OneOf. Empty: the zero value of the kind.
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
	// Group holds the settings of a KindGroup.
	Group []Setting
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
	v, err := s.parse(text)
	if err != nil && s.Secret {
		return nil, fmt.Errorf("is not acceptable as %s", s.Kind)
	}
	return v, err
}

func (s Setting) parse(text string) (any, error) {
	switch s.Kind {
	case KindString:
		if len(s.OneOf) > 0 && !contains(s.OneOf, text) {
			return nil, fmt.Errorf("%q is not one of %s", text, strings.Join(s.OneOf, ", "))
		}
		return text, nil
	case KindFile:
		return text, nil
	case KindInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return nil, fmt.Errorf("%q is not a whole number", text)
		}
		return n, s.within(n, func(n int64) string { return strconv.FormatInt(n, 10) })
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
		d, err := ParseDuration(text, unit)
		if err != nil {
			return nil, err
		}
		return d, s.within(int64(d), func(n int64) string { return FormatDuration(time.Duration(n)) })
	case KindSize:
		n, err := ParseSize(text)
		if err != nil {
			return nil, err
		}
		return n, s.within(n, func(n int64) string { return strconv.FormatInt(n, 10) + " bytes" })
	case KindList:
		return SplitList(text), nil
	default:
		return nil, fmt.Errorf("is a group of settings, not a single value")
	}
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

func contains(list []string, text string) bool {
	for _, s := range list {
		if s == text {
			return true
		}
	}
	return false
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
