package configfile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/jcache/near"
)

// sessionsCache is the name of the sessions' cache, but for prefix and id.
const sessionsCache = "sessions"

// config makes the configuration of the document.
func (b *binder) config(root *configtree.Node) *Config {
	document := b.bind(root, documentElement)
	cfg := &Config{file: b.file, Shutdown: shutdownOf(document.values.Group(shutdownElement.name))}
	managers := document.inner[managerElement.name]
	if len(managers) == 0 {
		b.at(root, "a cacheManager is required")
		return cfg
	}
	distinct := b.distinctIDs(managers)
	for _, m := range managers {
		cfg.CacheManagers = append(cfg.CacheManagers, b.cacheManager(m))
	}
	if !distinct {
		return cfg
	}
	for _, p := range b.pair(root, document, len(managers)) {
		cfg.Sessions = append(cfg.Sessions, b.session(p, cfg.CacheManagers))
	}
	b.distinctCaches(cfg)
	return cfg
}

// distinctIDs checks that elements can be told apart.
func (b *binder) distinctIDs(list []*bound) bool {
	distinct := true
	first := make(map[string]*bound)
	for _, one := range list {
		earlier := first[one.id()]
		if earlier == nil {
			first[one.id()] = one
		}
		switch {
		case len(list) > 1 && one.Child("id") == one.Node:
			b.at(one.Node, "needs an id, since there are several %ss", one.Name)
		case earlier != nil && one.id() != "":
			b.at(one.Child("id"), "the %s in line %d has the same id", one.Name, earlier.Line)
		default:
			continue
		}
		distinct = false
	}
	return distinct
}

func (b *binder) cacheManager(m *bound) CacheManagerConfig {
	v := m.values
	cm := CacheManagerConfig{ID: m.id(), at: m.Node}
	cm.Config = jcache.Config{Provider: v.String(providerWord), URI: v.String("uri")}
	for _, c := range m.inner[cacheElement.name] {
		cm.Config.Caches = append(cm.Config.Caches, b.cache(c))
	}
	if !v.Given(providerWord) {
		return cm
	}
	d, err := jcache.Definition(cm.Config.Provider)
	if err != nil {
		reason := err.Error()
		if near := configtree.Nearest(cm.Config.Provider, jcache.Providers()); near != "" {
			reason += "; did you mean " + near + "?"
		}
		b.at(m.Child(providerWord), "%s", reason)
		return cm
	}
	if cm.Config.URI != "" && d.URI == "" {
		b.at(m.Child("uri"), "the provider %s has no file of its own; leave it out", d.Name)
		cm.Config.URI = ""
	}
	properties := &configtree.Node{Place: m.Place, Name: propertiesName, Parent: m.Node}
	if given := m.inner[properties.Name]; len(given) > 0 {
		properties = given[0].Node
	}
	if given := b.bind(properties, propertiesOf(d)).given; len(given) > 0 {
		cm.Config.Settings = given
	}
	return cm
}

func (b *binder) cache(c *bound) jcache.CacheConfig {
	v := c.values
	cfg := jcache.CacheConfig{
		Name: v.String("name"), ExpiryPolicy: v.String("expiryPolicy"), ExpiryDuration: v.Duration("expiry"), Statistics: v.Bool("statistics"),
	}
	if v.Given("codec") {
		cfg.Codec = v.String("codec")
	}
	if bytes := v.Int(nearCacheWord); bytes > 0 {
		cfg.Near = near.Options{MaxBytes: bytes, MaxAge: v.Duration(nearCacheMaxAgeWord)}
	} else if v.Given(nearCacheMaxAgeWord) {
		b.at(c.Child(nearCacheMaxAgeWord), "needs a nearCache, such as nearCache 64MiB")
	}
	eternal := cfg.ExpiryPolicy == "eternal"
	switch {
	case eternal && v.Given("expiry"):
		b.at(c.Child("expiry"), "entries are eternal unless an expiryPolicy says otherwise: created, accessed, modified or touched")
	case !eternal && !v.Given("expiry"):
		b.at(c.Child("expiryPolicy"), "needs an expiry, such as expiry 10m")
	case !eternal && cfg.ExpiryDuration <= 0:
		b.at(c.Child("expiry"), "must be positive")
	}
	return cfg
}

// A pair is an httpSession and its httpSessionCache or httpSessionDatabase, of which one may be missing.
type pair struct {
	at             *configtree.Node
	session, cache *bound
}

// reference is the word by which the cache of the sessions names its cacheManager.
func (p pair) reference() string {
	if p.inDatabase() {
		return "dataSourceRef"
	}
	return "cacheManagerRef"
}

func (p pair) inDatabase() bool { return p.cache != nil && p.cache.Name == sessionDatabaseElement.name }

// pair finds out what belongs together.
func (b *binder) pair(root *configtree.Node, document *bound, managers int) []pair {
	sessions := document.inner[sessionElement.name]
	caches, databases := document.inner[sessionCacheElement.name], document.inner[sessionDatabaseElement.name]
	if len(sessions) < 2 && len(caches) > 0 && len(databases) > 0 {
		b.at(databases[0].Node, "sessions are stored in one place; leave this element out, or the %s", sessionCacheElement.name)
		return nil
	}
	caches = slices.Concat(caches, databases)
	if sessionsDiffer, cachesDiffer := b.distinctIDs(sessions), b.distinctIDs(caches); !sessionsDiffer || !cachesDiffer {
		return nil
	}
	switch {
	case len(sessions) == 0 && len(caches) == 0:
		if managers > 1 {
			return nil
		}
		return []pair{{at: root}}
	case len(sessions) == 0 && len(caches) == 1:
		return []pair{{at: caches[0].Node, cache: caches[0]}}
	case len(sessions) == 1 && len(caches) == 1 && (sessions[0].id() == "" || caches[0].id() == ""):
		return []pair{{sessions[0].Node, sessions[0], caches[0]}}
	}
	var pairs []pair
	byID := make(map[string]int)
	for i, s := range sessions {
		pairs = append(pairs, pair{at: s.Node, session: s})
		byID[s.id()] = i
	}
	for _, c := range caches {
		if i, ok := byID[c.id()]; ok {
			pairs[i].cache = c
		} else if c.id() != "" {
			b.at(c.Child("id"), "there is no httpSession with this id")
		} else if len(caches) == 1 {
			b.at(c.Node, "needs the id of its httpSession, since there are several")
		}
	}
	return pairs
}

func (b *binder) session(p pair, managers []CacheManagerConfig) SessionConfig {
	sv, cv := defaults(sessionElement), defaults(sessionCacheElement)
	if p.session != nil {
		sv = p.session.values
	}
	if p.cache != nil {
		cv = p.cache.values
	}
	s := SessionConfig{ID: cmp.Or(sv.String("id"), cv.String("id")), Options: sessionOptions(sv), at: p.at}
	s.Options.CacheName = cv.String("cacheNamePrefix") + cacheNameOf(s.ID)
	if _, err := s.Options.WithDefaults(); err != nil {
		for _, one := range setting.Each(err, jcache.ErrInvalid) {
			b.at(p.at, "%s", reasonOf(one))
		}
	}
	var ref string
	if p.cache != nil {
		ref = cv.String(p.reference())
	}
	var known bool
	s.CacheManager, known = b.managerOf(p, ref, managers)
	if known && p.inDatabase() {
		b.database(p.cache, managers, s.CacheManager)
	}
	return s
}

// cacheNameOf returns the name of the cache of the sessions with that id, without a prefix.
func cacheNameOf(id string) string {
	if id == "" {
		return sessionsCache
	}
	return sessionsCache + "." + id
}

func defaults(e *element) driver.Values {
	v, _ := driver.NewValues(e.settings(), nil) // nothing is required
	return v
}

// managerOf returns the ID of the cache manager that a session uses, if the document says which.
func (b *binder) managerOf(p pair, ref string, managers []CacheManagerConfig) (id string, known bool) {
	var ids []string
	for _, m := range managers {
		if m.ID == ref && ref != "" {
			return ref, true
		}
		if m.ID != "" {
			ids = append(ids, m.ID)
		}
	}
	switch {
	case ref != "" && len(ids) == 0:
		b.at(p.cache.Child(p.reference()), "the only cacheManager has no id; leave the reference out")
	case ref != "":
		b.at(p.cache.Child(p.reference()), "there is no cacheManager with this id, only %s", strings.Join(ids, ", "))
	case len(managers) > 1:
		at, element := p.at, sessionCacheElement.name
		if p.cache != nil {
			at, element = p.cache.Node, p.cache.Name
		}
		b.at(at, "there are several cacheManagers; say with an %s's %s which one keeps the sessions: %s", element, p.reference(), configtree.OrList(ids))
	default:
		known = true
	}
	return managers[0].ID, known
}

// distinctCaches checks that no two users of a cache manager want the same cache.
func (b *binder) distinctCaches(cfg *Config) {
	type cache struct{ manager, name string }
	sessions := make(map[cache]bool)
	for _, s := range cfg.Sessions {
		name := cache{s.CacheManager, s.Options.CacheName}
		if sessions[name] {
			b.at(s.at, "another httpSession has its sessions in the cache %s too; choose another id or cacheNamePrefix", name.name)
		}
		sessions[name] = true
	}
	for _, m := range cfg.CacheManagers {
		declared := make(map[string]bool)
		for i, c := range m.Config.Caches {
			at := m.at.Nth(cacheElement.name, i).Child("name")
			switch {
			case c.Name == "":
			case declared[c.Name]:
				b.at(at, "the cacheManager has another cache of this name")
			case sessions[cache{m.ID, c.Name}]:
				b.at(at, "HTTP sessions are kept in a cache of this name; choose another one, or give httpSessionCache a cacheNamePrefix")
			}
			declared[c.Name] = true
		}
	}
}
