package setting

import (
	"cmp"
	"errors"
	"fmt"
	"strings"
)

// A Problem is one thing that is wrong with a configuration. It never shows a secret.
type Problem struct {
	// Place is in the provider's own file. Its zero value: the problem is one of the
	// settings.
	Place
	// Path names the setting, such as tls.caFile, or the element of the provider's own
	// file. It may be empty.
	Path string
	// Reason says what is wrong and what to do.
	Reason string
	// Err is the error behind it, or nil.
	Err error
}

// Problemf makes a problem of a setting. What %w stands for is the error behind it.
func Problemf(path, format string, args ...any) *Problem {
	err := fmt.Errorf(format, args...)
	return &Problem{Path: path, Reason: err.Error(), Err: errors.Unwrap(err)}
}

// Error reads "file:line:column: path: reason", without what is not known, in one line.
func (p *Problem) Error() string {
	var parts []string
	place := p.Place
	for _, part := range []string{place.String(), p.Path, p.Reason} {
		if part != "" {
			parts = append(parts, part)
		}
	}
	return strings.ReplaceAll(strings.Join(parts, ": "), "\n", "; ")
}

// Unwrap returns the error behind the problem.
func (p *Problem) Unwrap() error { return p.Err }

// A Place is one in a file. Line and Column count characters from 1; zero: the file as a
// whole.
type Place struct {
	// File is a path, as it was given.
	File string
	// Line and Column are zero where the file as a whole is meant.
	Line, Column int
}

// String reads "file:line:column".
func (p Place) String() string {
	if p.Line == 0 {
		return p.File
	}
	return fmt.Sprintf("%s:%d:%d", p.File, p.Line, p.Column)
}

// Compare orders places: those of the file named first, then those of others by their names.
func (p Place) Compare(other Place, first string) int {
	if p.File != other.File && (p.File == first || other.File == first) {
		if p.File == first {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(p.File, other.File), cmp.Compare(p.Line, other.Line), cmp.Compare(p.Column, other.Column))
}

// Each returns the errors that were joined, with errors.Join or behind a sentinel as in "%w: %w",
// one by one. Sentinels that say no more than that what follows is invalid are dropped if
// they are in drop.
func Each(err error, drop ...error) []error {
	if err == nil {
		return nil
	}
	var parts []error
	if many, ok := err.(interface{ Unwrap() []error }); ok {
		parts = many.Unwrap()
	}
	switch {
	case len(parts) > 0 && err.Error() == errors.Join(parts...).Error():
	case len(parts) == 2 && dropped(parts[0], drop) && err.Error() == parts[0].Error()+": "+parts[1].Error():
		parts = parts[1:]
	default:
		return []error{err}
	}
	var all []error
	for _, one := range parts {
		all = append(all, Each(one, drop...)...)
	}
	return all
}

func dropped(err error, drop []error) bool {
	for _, one := range drop {
		if err == one { //nolint:errorlint // the sentinel itself is meant
			return true
		}
	}
	return false
}

// Validate checks values against the declarations: each given one against its own, and all
// against the rules. The error joins all problems; each begins with the path of the setting.
func Validate(settings []Setting, rules []Rule, v Values) error {
	return errors.Join(validate("", settings, rules, v)...)
}

func validate(above string, settings []Setting, rules []Rule, v Values) (errs []error) {
	for _, s := range settings {
		value := v.values[s.Name]
		switch {
		case v.wasUnread(s.Name) && s.Kind != KindGroup:
		case s.Required && !v.set(s.Name) && (s.Kind == KindString || s.Kind == KindFile || s.Kind == KindList):
			errs = append(errs, &Problem{Path: above + s.Name, Reason: "is required"})
		case !v.Given(s.Name):
		case s.Kind == KindGroup:
			errs = append(errs, validate(above+s.Name+".", s.Group, s.Rules, v.Group(s.Name))...)
		case s.accepts(value):
			for _, err := range Each(s.Valid(value)) {
				errs = append(errs, &Problem{Path: above + s.Name, Reason: err.Error(), Err: err})
			}
		}
	}
	for _, r := range rules {
		if p := r.check(v); p != nil {
			if p.Path != "" {
				p.Path = above + p.Path
			} else {
				p.Path = strings.TrimSuffix(above, ".")
			}
			errs = append(errs, p)
		}
	}
	return errs
}
