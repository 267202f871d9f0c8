package configfile

import (
	"cmp"
	"fmt"
	"reflect"
	"slices"
)

// A difference is between what is running and what is to be.
type difference struct {
	part     string
	name     string // of the fact; empty: of the whole part
	from, to string
	// later says what is not applied at once; empty: it is.
	later string
}

// differences compares all parts, those that are running first.
func (f facts) differences(next facts) []difference {
	return slices.Concat(compare(f.managers, next.managers), compare(f.shutdown, next.shutdown), compare(f.sessions, next.sessions))
}

func compare(running, next []part) (all []difference) {
	named := func(name string) func(part) bool { return func(p part) bool { return p.name == name } }
	for _, p := range running {
		i := slices.IndexFunc(next, named(p.name))
		if i < 0 {
			all = append(all, difference{p.name, "", "there", "not there", p.name + " is gone; it is closed at the next start"})
			continue
		}
		all = append(all, p.differences(next[i])...)
	}
	for _, p := range next {
		if !slices.ContainsFunc(running, named(p.name)) {
			all = append(all, difference{p.name, "", "not there", "there", p.name + " is new; it is opened at the next start"})
		}
	}
	return all
}

func (p part) differences(next part) (all []difference) {
	for _, name := range p.names(next) {
		from, to := p.fact(name), next.fact(name)
		if reflect.DeepEqual(from.value, to.value) {
			continue
		}
		d := difference{part: p.name, name: name, from: from.shown, to: to.shown}
		if when := cmp.Or(from.applied, to.applied); when != "" {
			d.later = fmt.Sprintf("%s: %s has changed; %s", p.name, name, when)
		}
		all = append(all, d)
		if name == providerWord {
			break // its properties are others
		}
	}
	return all
}

// names returns the names of the facts of both.
func (p part) names(other part) (names []string) {
	for _, f := range slices.Concat(p.facts, other.facts) {
		if !slices.Contains(names, f.name) {
			names = append(names, f.name)
		}
	}
	return names
}

// fact returns the fact of that name, or one that there is nothing.
func (p part) fact(name string) fact {
	for _, f := range p.facts {
		if f.name == name {
			return f
		}
	}
	return fact{shown: "nothing"}
}

// take takes over from the next configuration what was applied.
func (f *facts) take(next facts) {
	for i := range f.sessions {
		p := &f.sessions[i]
		for _, other := range next.sessions {
			if other.name == p.name {
				p.take(other)
			}
		}
	}
}

func (p *part) take(next part) {
	for i, f := range p.facts {
		if f.applied != atNextStart {
			p.facts[i] = next.fact(f.name)
		}
	}
}
