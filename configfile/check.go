package configfile

import (
	"fmt"
	"slices"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Check finds everything that Open would refuse without a connection, and reports all of it
// together. It reads the files that the configuration names, such as uri, and opens no
// connection. Notices are what an operator should know although nothing is wrong. The error
// is Errors.
func (c *Config) Check() (notices []string, err error) {
	var problems Errors
	for _, m := range c.CacheManagers {
		found, err := m.Config.Check()
		problems = append(problems, blame(c.file, m.at, m.Config.URI, err)...)
		for _, notice := range found {
			if m.ID != "" {
				notice = fmt.Sprintf("%s %s: %s", managerElement.name, m.ID, notice)
			}
			notices = append(notices, notice)
		}
	}
	cookies := make(map[string]string)
	for _, s := range c.Sessions {
		o, err := s.Options.WithDefaults()
		problems = append(problems, blame(c.file, s.at, "", err)...)
		if other, ok := cookies[o.Cookie.Name]; ok {
			notices = append(notices, fmt.Sprintf("%ss %s and %s have cookies of one name; where both serve one site, "+
				"each takes the other's cookie away", sessionElement.name, other, s.ID))
		}
		cookies[o.Cookie.Name] = s.ID
	}
	if problems != nil {
		problems.sort(c.file)
		return nil, problems
	}
	return notices, nil
}

// provider returns the provider and its configuration, complete.
func (m *CacheManagerConfig) provider() (driver.Definition, driver.Config, error) {
	d, err := jcache.Definition(m.Config.Provider)
	if err != nil {
		return d, driver.Config{}, err
	}
	cfg, _, err := d.Configure(m.Config.URI, m.Config.Settings)
	return d, cfg, err
}

// checkRest adds what the providers find to the problems of a document, but nothing about what
// has been reported: a value that could not be read says nothing more.
func (b *binder) checkRest(cfg *Config) {
	for _, m := range cfg.CacheManagers {
		if _, err := jcache.Definition(m.Config.Provider); err != nil {
			continue
		}
		m.Config.Caches = nil // the binder has checked them
		_, err := m.Config.Check()
		for _, e := range blame(b.file, m.at, m.Config.URI, err) {
			unread := m.Config.URI == "" && m.at.Child("uri") != m.at && e.Path == m.at.Path() // may be due to the uri
			if !unread && !b.reported(e) {
				b.others = append(b.others, e)
			}
		}
	}
}

// reported reports whether there is a problem at the same place, or the same one.
func (b *binder) reported(e *Error) bool {
	return b.Has(configtree.Place{File: e.File, Line: e.Line, Column: e.Column}, e.Reason)
}

// sort orders problems by their places, those of the document before those of other files.
func (e Errors) sort(document string) {
	place := func(one *Error) configtree.Place {
		return configtree.Place{File: one.File, Line: one.Line, Column: one.Column}
	}
	slices.SortStableFunc(e, func(a, b *Error) int { return place(a).Compare(place(b), document) })
}
