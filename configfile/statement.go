package configfile

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
)

// A statement is what a process says of itself, by what it is about.
type statement map[string]saying

// A saying is a text, and what is lost if another process says something else; nothing: no more
// than that they behave differently.
type saying struct{ text, effect string }

func (s statement) texts() map[string]string {
	texts := make(map[string]string, len(s))
	for what, says := range s {
		texts[what] = says.text
	}
	return texts
}

func (s statement) hash() string {
	sum := sha256.New()
	for _, what := range slices.Sorted(maps.Keys(s)) {
		fmt.Fprintf(sum, "%q %q\n", what, s[what].text)
	}
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// says returns what the processes that share the cache manager's provider should agree on.
func (m *CacheManagerConfig) says() (statement, error) {
	p, err := m.facts()
	if err != nil {
		return nil, err
	}
	says := statement{versionOf: {text: version()}}
	for _, f := range p.facts {
		if f.agree != nil {
			says[f.name] = *f.agree
		}
	}
	return says, nil
}

// saysOf returns what they should agree on about the sessions that a cache manager keeps.
func saysOf(sessions []SessionConfig, manager string) (statement, error) {
	says := make(statement)
	for _, s := range sessions {
		if s.CacheManager != manager {
			continue
		}
		p, err := s.facts()
		if err != nil {
			return nil, err
		}
		o, _ := s.Options.WithDefaults() // facts has asked
		for _, f := range p.facts {
			if f.agree != nil {
				says[f.name+" of "+o.CacheName] = *f.agree
			} else if f.applied != atNextStart {
				says[f.name+" of "+o.CacheName] = saying{text: f.shown}
			}
		}
	}
	return says, nil
}

// with returns both.
func (s statement) with(other statement) statement {
	all := maps.Clone(s)
	maps.Copy(all, other)
	return all
}

const versionOf = "version of Keepsake"

// version returns the version of this module that the program was built with. Tests have others.
var version = builtWith

func builtWith() string {
	const path = "github.com/keepsake-cache/keepsake"
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, m := range append(info.Deps, &info.Main) {
		if m.Path == path {
			return m.Version
		}
	}
	return "unknown"
}
