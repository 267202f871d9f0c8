package configfile

import (
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// Facts are what a configuration says, defaults included, so that two can be compared.
type facts struct{ managers, shutdown, sessions []part }

// A part is what it says of one element.
type part struct {
	name  string // such as httpSession shop
	facts []fact
}

// A fact is one thing that it says.
type fact struct {
	name  string
	value any
	shown string // as it is written; secrets are not shown
	// applied says when a change of it is applied; empty: at once.
	applied string
	// agree is what other processes should have, too; nil: they need not.
	agree *saying
}

const (
	atNextStart = "it is applied at the next start"
	newSessions = "sessions that begin from now on have it; those that live keep what they began with, after a restart too"
)

// facts returns what the configuration says. Check has found no problem.
func (c *Config) facts() (f facts, err error) {
	for _, m := range c.CacheManagers {
		p, err := m.facts()
		if err != nil {
			return facts{}, err
		}
		f.managers = append(f.managers, p)
	}
	shutdown := c.Shutdown.withDefaults()
	f.shutdown = []part{{shutdownElement.name, []fact{
		factOf(delayWord.Setting, delayWord.Name, shutdown.Delay, atNextStart),
		factOf(drainWord.Setting, drainWord.Name, shutdown.DrainTimeout, atNextStart),
	}}}
	for _, s := range c.Sessions {
		p, err := s.facts()
		if err != nil {
			return facts{}, err
		}
		f.sessions = append(f.sessions, p)
	}
	return f, nil
}

func factOf(s driver.Setting, name string, value any, applied string) fact {
	f := fact{name: name, value: value, shown: yamlText(s, value), applied: applied}
	if s.Secret {
		f.shown = hidden
	} else if s.Agree != nil {
		text, effect := s.Agree(value)
		f.agree = &saying{text, effect}
	}
	return f
}

func (m *CacheManagerConfig) facts() (part, error) {
	p := part{name: named(managerElement, m.ID)}
	text := func(name, value string) {
		p.facts = append(p.facts, factOf(driver.Setting{}, name, value, atNextStart))
	}
	text(providerWord, m.Config.Provider)
	text("uri", m.Config.URI)
	d, cfg, err := m.provider()
	if err != nil {
		return part{}, err
	}
	found, rest, err := resolved(d, cfg)
	if err != nil {
		return part{}, err
	}
	p.facts = append(p.facts, settingFacts(d.Settings, cfg.Values, found, "")...)
	for _, r := range rest {
		p.facts = append(p.facts, factOf(driver.Setting{}, r.Name, r.Value, atNextStart))
	}
	for _, c := range m.Config.Caches {
		c = withDefaults(c)
		shown := c.ExpiryPolicy + " " + driver.FormatDuration(c.ExpiryDuration) + " " + c.Codec
		if c.Statistics {
			shown += " statistics"
		}
		p.facts = append(p.facts, fact{cacheElement.name + " " + c.Name, c, shown, atNextStart, &saying{text: shown}})
	}
	return p, nil
}

// withDefaults makes declarations that mean the same equal.
func withDefaults(c jcache.CacheConfig) jcache.CacheConfig {
	if policy, _ := cacheElement.word("expiryPolicy"); c.ExpiryPolicy == "" {
		c.ExpiryPolicy = policy.Default
	}
	if codec, _ := cacheElement.word("codec"); c.Codec == "" {
		c.Codec = codec.Default
	}
	return c
}

func settingFacts(settings []driver.Setting, values driver.Values, found map[string]setting.Resolved, above string) (all []fact) {
	for _, s := range settings {
		name := above + s.Name
		if s.Kind == driver.KindGroup {
			all = append(all, settingFacts(s.Group, values.Group(s.Name), found, name+".")...)
			continue
		}
		value := valueOf(s, values)
		if r, ok := found[name]; ok && !values.Given(s.Name) {
			value = r.Value
		}
		all = append(all, factOf(s, propertiesName+"."+name, value, atNextStart))
	}
	return all
}

func (s *SessionConfig) facts() (part, error) {
	o, err := s.Options.WithDefaults()
	if err != nil {
		return part{}, err
	}
	p := part{name: named(sessionElement, s.ID)}
	values := sessionValues(s.ID, o)
	for _, w := range sessionElement.words {
		applied := ""
		if w.Name == idleWord {
			applied = newSessions
		}
		p.facts = append(p.facts, factOf(w.Setting, w.Name, values[w.Name], applied))
	}
	p.facts = append(p.facts,
		factOf(driver.Setting{}, "the cacheManagerRef", s.CacheManager, atNextStart),
		factOf(driver.Setting{}, "the cacheNamePrefix", strings.TrimSuffix(o.CacheName, cacheNameOf(s.ID)), atNextStart))
	return p, nil
}
