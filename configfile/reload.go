package configfile

import (
	"errors"
	"fmt"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Reload applies the difference between the configuration that is running and c, as far as
// that is possible while requests are served: the attributes of httpSession, for requests
// that begin from now on. restart says what else differs, one sentence each: what takes
// effect when the program is started again, and what living sessions keep.
//
// If c has problems, nothing is applied. What the program changed in the Config that it
// opened, it changes in c too. After Close the error matches jcache.ErrClosed.
func (s *System) Reload(c *Config) (restart []string, err error) {
	return s.reload(c, func([]difference) error { return nil })
}

// reload is Reload, and tells what differs before it applies anything, unless tell has an error.
func (s *System) reload(c *Config, tell func([]difference) error) (restart []string, err error) {
	if _, err := c.Check(); err != nil {
		return nil, err
	}
	next, err := c.facts()
	if err != nil {
		return nil, err
	}
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.closed {
		return nil, fmt.Errorf("configfile: %w: nothing can be applied any more", jcache.ErrClosed)
	}
	all := s.running.differences(next)
	if err := tell(all); err != nil {
		return nil, err
	}
	for _, d := range all {
		if d.later != "" {
			restart = append(restart, d.later)
		}
	}
	var errs []error
	var applied []SessionConfig
	for _, running := range s.sessions {
		for _, one := range c.Sessions {
			if one.ID != running.config.ID {
				continue
			}
			one.CacheManager, one.Options.CacheName = running.config.CacheManager, running.config.Options.CacheName
			if err := running.manager.Reconfigure(one.Options); err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", named(sessionElement, one.ID), err))
			}
			applied = append(applied, one)
		}
	}
	s.running.take(next)
	for i, f := range s.fleets {
		says, err := saysOf(applied, s.managers[i].config.ID)
		errs = append(errs, err)
		f.say(says)
	}
	return restart, errors.Join(errs...)
}

func named(e *element, id string) string {
	if id == "" {
		return e.name
	}
	return e.name + " " + id
}
