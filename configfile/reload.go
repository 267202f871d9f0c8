package configfile

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Reload applies the difference between the configuration that is running and c, as far as
// that is possible while requests are served: the attributes of httpSession, for requests
// that begin from now on. restart says what else differs, one sentence each; that takes
// effect when the program is started again.
//
// If c has problems, nothing is applied. What the program changed in the Config that it
// opened, it changes in c too.
func (s *System) Reload(c *Config) (restart []string, err error) {
	if _, err := c.Check(); err != nil {
		return nil, err
	}
	s.reloading.Lock()
	defer s.reloading.Unlock()
	restart = s.managerChanges(c)
	if c.Shutdown.withDefaults() != s.shutdown {
		restart = append(restart, shutdownElement.name+" has changed; it is applied at the next start")
	}
	changes, sentences := s.sessionChanges(c)
	var errs []error
	for i, next := range changes {
		if err := s.sessions[i].manager.Reconfigure(next.Options); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", named(sessionElement, next.ID), err))
		}
	}
	return append(restart, sentences...), errors.Join(errs...)
}

// managerChanges says what differs in the cache managers.
func (s *System) managerChanges(c *Config) (restart []string) {
	for _, running := range s.managers {
		name := named(managerElement, running.config.ID)
		i := slices.IndexFunc(c.CacheManagers, func(m CacheManager) bool { return m.ID == running.config.ID })
		if i < 0 {
			restart = append(restart, name+" is gone; it is closed at the next start")
			continue
		}
		for _, what := range differences(running.config.Config, c.CacheManagers[i].Config) {
			restart = append(restart, fmt.Sprintf("%s: %s has changed; it is applied at the next start", name, what))
		}
	}
	for _, m := range c.CacheManagers {
		if !slices.ContainsFunc(s.managers, func(running openManager) bool { return running.config.ID == m.ID }) {
			restart = append(restart, named(managerElement, m.ID)+" is new; it is opened at the next start")
		}
	}
	return restart
}

// differences names what differs, but shows no values.
func differences(running, next jcache.Config) (names []string) {
	if running.Provider != next.Provider {
		return []string{"provider"}
	}
	if running.URI != next.URI {
		names = append(names, "uri")
	}
	settings := maps.Clone(running.Settings)
	if settings == nil {
		settings = make(map[string]any)
	}
	maps.Copy(settings, next.Settings)
	for _, name := range slices.Sorted(maps.Keys(settings)) {
		if !reflect.DeepEqual(running.Settings[name], next.Settings[name]) {
			names = append(names, "properties."+name)
		}
	}
	caches := make(map[string]bool)
	for _, c := range slices.Concat(running.Caches, next.Caches) {
		if !caches[c.Name] && (!slices.Contains(running.Caches, c) || !slices.Contains(next.Caches, c)) {
			names = append(names, "cache "+c.Name)
		}
		caches[c.Name] = true
	}
	return names
}

// sessionChanges returns what can be applied, by the index of the running session manager,
// and says what cannot.
func (s *System) sessionChanges(c *Config) (changes map[int]Session, restart []string) {
	changes = make(map[int]Session)
	for i, running := range s.sessions {
		name := named(sessionElement, running.config.ID)
		j := slices.IndexFunc(c.Sessions, func(next Session) bool { return next.ID == running.config.ID })
		if j < 0 {
			restart = append(restart, name+" is gone; it is closed at the next start")
			continue
		}
		next := c.Sessions[j]
		if next.CacheManager != running.config.CacheManager {
			restart = append(restart, name+": the cacheManagerRef has changed; it is applied at the next start")
		}
		if next.Options.CacheName != running.config.Options.CacheName {
			restart = append(restart, name+": the cacheNamePrefix has changed; it is applied at the next start")
			next.Options.CacheName = running.config.Options.CacheName
		}
		changes[i] = next
	}
	for _, next := range c.Sessions {
		if !slices.ContainsFunc(s.sessions, func(running openSession) bool { return running.config.ID == next.ID }) {
			restart = append(restart, named(sessionElement, next.ID)+" is new; it is opened at the next start")
		}
	}
	return changes, restart
}

func named(e *element, id string) string {
	if id == "" {
		return e.name
	}
	return e.name + " " + id
}
