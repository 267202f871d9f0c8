package configfile

import (
	"slices"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// An element defines what may stand in a group of the document. The binder and the
// schemas are made of these definitions.
type element struct {
	name string
	doc  string
	// words are the scalars, and inner the elements.
	words []word
	inner []*element
	// rules relate the words and the elements that hold words to each other.
	rules []setting.Rule
	// fixed are scalars of Open Liberty that are accepted with the one value that says
	// what happens anyway.
	fixed []fixed
	// refused are names that Open Liberty or JCache know, and why there is no such thing
	// here.
	refused map[string]string
	// repeated elements may stand more than once.
	repeated bool
	// byProvider elements hold the settings of the provider, whichever it is.
	byProvider bool
}

// A word is a scalar: an attribute or a nested element of text in XML.
type word struct {
	driver.Setting
	// liberty is Open Liberty's default where ours is safer.
	liberty string
	// valid checks what the setting cannot declare. Its error does not show the value.
	// Nil: there is nothing to check.
	valid func(value any) error
}

// A fixed scalar has one value.
type fixed struct {
	driver.Setting
	only string
	// why says why it has no other.
	why string
	// liberty is Open Liberty's default where an operator must know that it is another one.
	liberty string
}

func (f fixed) doc() string { return "Only " + f.only + " is possible: " + f.why + "." }

// settingsElement defines an element of a provider's settings.
func settingsElement(name, doc string, settings []driver.Setting, rules []setting.Rule) *element {
	e := &element{name: name, doc: doc, rules: rules}
	for _, s := range settings {
		if s.Kind == driver.KindGroup {
			e.inner = append(e.inner, settingsElement(s.Name, s.Doc, s.Group, s.Rules))
		} else {
			e.words = append(e.words, word{Setting: s})
		}
	}
	return e
}

// settings returns what driver.NewValues needs to complete what was given. Whether it was
// all that is required has been checked by then.
func (e *element) settings() []driver.Setting {
	var list []driver.Setting
	for _, w := range e.words {
		w.Required = false
		list = append(list, w.Setting)
	}
	for _, in := range e.inner {
		if !in.repeated && !in.byProvider {
			list = append(list, driver.Setting{Name: in.name, Kind: driver.KindGroup, Group: in.settings()})
		}
	}
	return list
}

func (e *element) word(name string) (word, bool) {
	for _, w := range e.words {
		if w.Name == name {
			return w, true
		}
	}
	return word{}, false
}

func (e *element) fixedWord(name string) (fixed, bool) {
	for _, f := range e.fixed {
		if f.Name == name {
			return f, true
		}
	}
	return fixed{}, false
}

func (e *element) element(name string) *element {
	for _, in := range e.inner {
		if in.name == name {
			return in
		}
	}
	return nil
}

// names returns what may stand in the element.
func (e *element) names() []string {
	var names []string
	for _, w := range e.words {
		names = append(names, w.Name)
	}
	for _, f := range e.fixed {
		names = append(names, f.Name)
	}
	for _, in := range e.inner {
		names = append(names, in.name)
	}
	return names
}

// home returns the name of the element below e where the name belongs, or nothing.
func (e *element) home(name string) string {
	for _, in := range e.inner {
		if slices.Contains(in.names(), name) || in.byProvider && anyProviderKnows(name) {
			return in.name
		}
		if home := in.home(name); home != "" {
			return home
		}
	}
	return ""
}

func anyProviderKnows(name string) bool {
	for _, d := range definitions() {
		if slices.Contains(propertiesOf(d).names(), name) {
			return true
		}
	}
	return false
}

// bareUnit returns what a number without a unit counts; nothing: it has none.
func bareUnit(s driver.Setting) string {
	switch {
	case s.Kind == driver.KindSize:
		return "bytes"
	case s.Kind == driver.KindDuration && s.Unit != 0:
		return s.Unit.String()
	case s.Kind == driver.KindDuration:
		return "s"
	}
	return ""
}

// docOf says what a setting does, and what a bare number is.
func docOf(s driver.Setting) string {
	if unit := bareUnit(s); unit != "" {
		return s.Doc + " A bare number counts " + unit + "."
	}
	return s.Doc
}
