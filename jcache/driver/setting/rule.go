package setting

import (
	"fmt"
	"strings"
)

// A Rule relates settings to each other. A setting counts as given if its value is more than
// nothing: not "", 0 or false. A group counts as given if anything in it is, and is not itself
// named enabled and false.
type Rule struct {
	// Kind is what the rule demands.
	Kind RuleKind
	// Names are the settings, such as user or tls.caFile.
	Names []string
	// Other and Value are the condition of OnlyWith and RequiredWith: that the setting
	// Other has the text Value.
	Other, Value string
	// Why says in half a sentence why it is so, where that helps. It follows a colon.
	Why string
}

// RuleKind is the kind of a Rule.
type RuleKind uint8

// The kinds of rules.
const (
	RuleTogether RuleKind = iota
	RuleRequires
	RuleAtMostOne
	RuleAtLeastOne
	RuleOnlyWith
	RuleRequiredWith
)

// Together has all of the settings given or none.
func Together(names ...string) Rule { return Rule{Kind: RuleTogether, Names: names} }

// Requires has a setting given only if another one is.
func Requires(name, other string) Rule { return Rule{Kind: RuleRequires, Names: []string{name, other}} }

// AtMostOne has settings that exclude each other.
func AtMostOne(names ...string) Rule { return Rule{Kind: RuleAtMostOne, Names: names} }

// AtLeastOne has one of the settings given, or several.
func AtLeastOne(names ...string) Rule { return Rule{Kind: RuleAtLeastOne, Names: names} }

// OnlyWith has a setting given only where another one has a certain text.
func OnlyWith(name, other, value string) Rule {
	return Rule{Kind: RuleOnlyWith, Names: []string{name}, Other: other, Value: value}
}

// RequiredWith has a setting given wherever another one has a certain text.
func RequiredWith(name, other, value string) Rule {
	return Rule{Kind: RuleRequiredWith, Names: []string{name}, Other: other, Value: value}
}

// Because returns the rule with its reason.
func (r Rule) Because(why string) Rule {
	r.Why = why
	return r
}

// String is the rule as a sentence without its end.
func (r Rule) String() string {
	text := ""
	switch r.Kind {
	case RuleTogether:
		text = list(r.Names, "and") + " go together"
	case RuleRequires:
		text = r.Names[0] + " needs " + r.Names[1]
	case RuleAtMostOne:
		text = list(r.Names, "and") + " exclude each other"
	case RuleAtLeastOne:
		text = list(r.Names, "or") + " is required"
	case RuleOnlyWith:
		text = fmt.Sprintf("%s is for %s %s only", r.Names[0], r.Other, r.Value)
	case RuleRequiredWith:
		text = fmt.Sprintf("%s is required with %s %s", r.Names[0], r.Other, r.Value)
	}
	if r.Why != "" {
		text += ": " + r.Why
	}
	return text
}

// check returns the problem of values that break the rule.
func (r Rule) check(v Values) *Problem {
	for _, name := range append([]string{r.Other}, r.Names...) {
		if v.wasUnread(name) {
			return nil // nobody knows what was meant
		}
	}
	var given, missing []string
	for _, name := range r.Names {
		if v.set(name) {
			given = append(given, name)
		} else {
			missing = append(missing, name)
		}
	}
	met := r.Other != "" && v.String(r.Other) == r.Value
	broken := false
	at := ""
	switch {
	case len(given) > 0:
		at = given[len(given)-1]
	case r.Other != "":
		at = r.Other
	}
	text := r.String()
	switch r.Kind {
	case RuleTogether:
		broken = len(given) > 0 && len(missing) > 0
		text += "; " + list(missing, "and") + " is missing"
	case RuleRequires:
		broken = v.set(r.Names[0]) && !v.set(r.Names[1])
	case RuleAtMostOne:
		broken = len(given) > 1
	case RuleAtLeastOne:
		broken = len(given) == 0
	case RuleOnlyWith:
		broken = len(given) > 0 && !met
	case RuleRequiredWith:
		broken = len(given) == 0 && met
	}
	if !broken {
		return nil
	}
	return &Problem{Path: at, Reason: text}
}

func list(names []string, word string) string {
	last := len(names) - 1
	if last < 1 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:last], ", ") + " " + word + " " + names[last]
}
