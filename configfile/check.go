package configfile

import (
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Check asks the providers about their part of the configuration. It reads the files that
// the configuration names, such as uri, and opens no connection. Notices are what an
// operator should know although nothing is wrong. The error is Errors.
func (c *Config) Check() (notices []string, err error) {
	var problems Errors
	for _, m := range c.CacheManagers {
		found, err := m.check()
		if err != nil {
			problems = append(problems, blame(c.file, m.at, m.Config.URI, err)...)
		}
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
		if err != nil {
			problems = append(problems, blame(c.file, s.at, "", err)...)
		}
		if other, ok := cookies[o.Cookie.Name]; ok {
			notices = append(notices, fmt.Sprintf("%ss %s and %s have cookies of one name; where both serve one site, "+
				"each takes the other's cookie away", sessionElement.name, other, s.ID))
		}
		cookies[o.Cookie.Name] = s.ID
	}
	if problems != nil {
		return nil, problems
	}
	return notices, nil
}

func (m *CacheManager) check() (notices []string, err error) {
	d, values, err := m.provider()
	if err != nil || d.Check == nil {
		return nil, err
	}
	return d.Check(driver.Config{URI: m.Config.URI, Values: values})
}

// provider returns the provider and its settings, complete.
func (m *CacheManager) provider() (driver.Definition, driver.Values, error) {
	d, err := jcache.Definition(m.Config.Provider)
	if err != nil {
		return d, driver.Values{}, err
	}
	values, err := driver.NewValues(d.Settings, m.Config.Settings)
	return d, values, err
}
