package jcache

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

var registry struct {
	sync.RWMutex
	definitions map[string]driver.Definition
}

// Register makes a provider known by its name, so that a configuration can choose
// it. Providers call it when their package is initialised; a name that is
// registered twice is a mistake in the program and panics.
func Register(d driver.Definition) {
	registry.Lock()
	defer registry.Unlock()
	if d.Name == "" || d.Open == nil {
		panic("jcache: a provider needs a name and an Open function")
	}
	if _, ok := registry.definitions[d.Name]; ok {
		panic("jcache: provider " + d.Name + " is registered twice")
	}
	if registry.definitions == nil {
		registry.definitions = make(map[string]driver.Definition)
	}
	registry.definitions[d.Name] = d
}

// Providers returns the names of the providers that are linked into the program,
// sorted.
func Providers() []string {
	registry.RLock()
	defer registry.RUnlock()
	names := make([]string, 0, len(registry.definitions))
	for name := range registry.definitions {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}

// Definition returns what the provider of that name registered.
func Definition(name string) (driver.Definition, error) {
	registry.RLock()
	d, ok := registry.definitions[name]
	registry.RUnlock()
	if !ok {
		known := strings.Join(Providers(), ", ")
		if known == "" {
			known = "none"
		}
		return d, fmt.Errorf("%w %q: the providers linked into this program are: %s; "+
			"others need their package imported, such as _ \"github.com/keepsake-cache/keepsake/providers\"",
			ErrUnknownProvider, name, known)
	}
	return d, nil
}

// Config says which provider a manager connects to, and how.
type Config struct {
	// Provider is a name for Definition.
	Provider string
	// URI is the path of the provider's own file, if it has one.
	URI string
	// Settings are the provider's properties; driver.Setting tells their
	// types. Those that are not given have their defaults.
	Settings map[string]any
	// Caches declares caches that GetCache can open by name.
	Caches []CacheConfig
}

// Check finds what Open would refuse without a connection: it reads the files that the
// configuration names. Notices are what an operator should know although nothing is wrong. The error
// joins all problems; those of settings are as driver.Definition.Check has them.
func (cfg Config) Check() (notices []string, err error) {
	_, _, notices, err = cfg.configure()
	return notices, err
}

func (cfg Config) configure() (d driver.Definition, complete driver.Config, notices []string, err error) {
	if d, err = Definition(cfg.Provider); err != nil {
		return d, complete, nil, err
	}
	complete, notices, err = d.Configure(cfg.URI, cfg.Settings)
	if _, undeclared := declare(cfg.Caches); undeclared != nil {
		err = errors.Join(err, undeclared)
	}
	return d, complete, notices, err
}

// Open connects to the provider that cfg names. The caller closes the manager.
//
// A provider that cannot be reached is waited for, until ctx ends and as long as its setting
// startTimeout says; the log tells what is missing. Then the error matches ErrUnavailable or, if the setting whenDown
// is start, the manager is open without its provider, which it tries on until Close. Until the provider is reached, the
// manager is not ready (see Health), caches can be created and opened, and their operations fail with
// ErrUnavailable. What waiting does not mend, such as a wrong password, matches ErrMisconfigured and is told at once;
// what of it is found later is told to the log and is the error of each operation from then on, as is a cache that the
// provider refuses.
//
// JSR-107: CachingProvider.getCacheManager; unlike there, every call gives a
// manager of its own.
func Open(ctx context.Context, cfg Config) (*CacheManager, error) {
	d, config, _, err := cfg.configure()
	fail := func(err error) error { return &Error{Op: "open", Provider: d.Name, Err: err} }
	switch {
	case errors.Is(err, ErrUnknownProvider):
		return nil, fail(err)
	case err != nil:
		return nil, fail(fmt.Errorf("%w: %w", ErrInvalid, err))
	}
	p, err := reach(ctx, d, config)
	var l *link
	switch {
	case err == nil:
		l = newLink(p)
	case ctx.Err() == nil && startsWithout(config, err):
		l = tryOn(ctx, d, config, err)
	default:
		return nil, fail(err)
	}
	m, err := newManager(l, ManagerOptions{Provider: d.Name, Caches: cfg.Caches})
	if err != nil {
		_ = l.close(ctx) // err says what is wrong
		return nil, fail(err)
	}
	return m, nil
}
