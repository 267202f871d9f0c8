package configfile

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
)

// CacheManager returns the cache manager with that id. The only one can also be asked for
// by no id.
func (c *Config) CacheManager(id string) (CacheManagerConfig, error) {
	i, err := find(c.CacheManagers, managerElement.name, id, func(m CacheManagerConfig) string { return m.ID })
	if err != nil {
		return CacheManagerConfig{}, err
	}
	return c.CacheManagers[i], nil
}

// A System is what a configuration describes, open. All its methods may be called by many
// goroutines at once.
type System struct {
	managers []openManager
	sessions []openSession
	fleets   []*fleet // one of each manager
	shutdown Shutdown
	opened   *Config // for Watch

	reloading sync.Mutex
	running   facts // guarded by reloading
	closed    bool  // likewise

	stopping atomic.Bool
}

type openManager struct {
	config  CacheManagerConfig
	manager *jcache.CacheManager
}

type openSession struct {
	config  SessionConfig
	manager *httpsession.Manager
}

// Open connects every cache manager and opens the sessions' caches: all of them, or none
// and an error. ctx bounds Open only. What Check refuses, it refuses with the same error. If a
// provider cannot be reached, the error matches jcache.ErrUnavailable.
func (c *Config) Open(ctx context.Context) (*System, error) {
	if _, err := c.Check(); err != nil {
		return nil, err
	}
	running, err := c.facts()
	if err != nil {
		return nil, err
	}
	s := &System{shutdown: c.Shutdown.withDefaults(), opened: c, running: running}
	if err := s.open(ctx, c); err != nil {
		_ = s.Close(context.WithoutCancel(ctx)) // err says what is wrong
		return nil, err
	}
	return s, nil
}

func (s *System) open(ctx context.Context, c *Config) error {
	for _, m := range c.CacheManagers {
		manager, err := jcache.Open(ctx, m.Config)
		if err != nil {
			return blame(c.file, m.at, m.Config.URI, err)
		}
		s.managers = append(s.managers, openManager{m, manager})
	}
	for _, one := range c.Sessions {
		caches, err := s.CacheManager(one.CacheManager)
		if err != nil {
			return err
		}
		manager, err := httpsession.New(ctx, caches, one.Options)
		if err != nil {
			return blame(c.file, one.at, "", err)
		}
		s.sessions = append(s.sessions, openSession{one, manager})
	}
	for _, m := range s.managers {
		always, err := m.config.says()
		if err != nil {
			return err
		}
		says, err := saysOf(c.Sessions, m.config.ID)
		if err != nil {
			return err
		}
		s.fleets = append(s.fleets, join(m.manager, always, says, c.now))
	}
	return nil
}

// CacheManager returns the cache manager with that id. The only one can also be asked for
// by no id.
func (s *System) CacheManager(id string) (*jcache.CacheManager, error) {
	i, err := find(s.managers, managerElement.name, id, func(m openManager) string { return m.config.ID })
	if err != nil {
		return nil, err
	}
	return s.managers[i].manager, nil
}

// Sessions returns the session manager with that id. The only one can also be asked for by
// no id.
func (s *System) Sessions(id string) (*httpsession.Manager, error) {
	i, err := find(s.sessions, sessionElement.name, id, func(m openSession) string { return m.config.ID })
	if err != nil {
		return nil, err
	}
	return s.sessions[i].manager, nil
}

// find returns the index of the element with that id, or of the only one.
func find[T any](list []T, kind, id string, idOf func(T) string) (int, error) {
	if id == "" && len(list) == 1 {
		return 0, nil
	}
	i := slices.IndexFunc(list, func(one T) bool { return idOf(one) == id })
	if i >= 0 {
		return i, nil
	}
	var ids []string
	for _, one := range list {
		if idOf(one) != "" {
			ids = append(ids, idOf(one))
		}
	}
	known := strings.Join(ids, ", ")
	switch {
	case len(list) == 0:
		return 0, fmt.Errorf("configfile: the configuration has no %s", kind)
	case id == "":
		return 0, fmt.Errorf("configfile: there are several %ss; ask for one of %s", kind, known)
	case known == "":
		return 0, fmt.Errorf("configfile: there is no %s %q; the only one has no id", kind, id)
	}
	return 0, fmt.Errorf("configfile: there is no %s %q; ask for one of %s", kind, id, known)
}

// Close closes the session managers and then the cache managers, each after the operations
// in progress. Entries stay where they are. Closing twice is harmless.
func (s *System) Close(ctx context.Context) error {
	s.reloading.Lock()
	s.closed = true
	s.reloading.Unlock()
	for _, f := range s.fleets {
		f.leave()
	}
	var errs []error
	for _, one := range s.sessions {
		errs = append(errs, one.manager.Close(ctx))
	}
	for _, one := range s.managers {
		errs = append(errs, one.manager.Close(ctx))
	}
	return errors.Join(errs...)
}
