package conformance

import "github.com/keepsake-cache/keepsake/jcache"

var lifecycleCases = []testCase{
	{
		name:   "manager/creates and finds caches",
		rule:   "A created cache reports its name and its manager; looking it up gives the same cache; a second creation is refused and leaves the first one open.",
		source: "JSR-107: CacheManager.createCache, getCache",
		run: func(e *env) {
			m := e.manager(0)
			c := createCache(e, m, e.name, jcache.Options[string, string]{})
			e.equal("Name", c.Name(), e.name)
			e.equal("Manager is the one that created it", c.Manager() == m, true)
			e.equal("Provider", m.Provider(), e.suite.harness.Name)
			e.ok(m.Ping(e.ctx))
			for range 2 {
				found, err := jcache.GetCache[string, string](e.ctx, m, e.name)
				e.ok(err)
				e.equal("the cache that was found is the one that was created", found == c, true)
			}
			_, err := jcache.CreateCache(e.ctx, m, e.name, jcache.Options[string, string]{})
			e.is("a second creation", err, jcache.ErrCacheExists)
			_, err = jcache.CreateCache(e.ctx, m, e.name, jcache.Options[int, string]{})
			e.is("a second creation with other types", err, jcache.ErrCacheExists)
			e.equal("closed after a refused creation", c.Closed(), false)
			e.ok(c.Put(e.ctx, key, newValue))
		},
	},
	{
		name:   "manager/refuses other types and unknown names",
		rule:   "A name that nobody knows matches ErrCacheNotFound, other types match ErrTypeMismatch, a name that no cache can have ErrInvalid.",
		source: "JSR-107: CacheManager.getCache",
		run: func(e *env) {
			m := e.manager(0)
			createCache(e, m, e.name, jcache.Options[string, string]{})
			_, err := jcache.GetCache[string, string](e.ctx, m, e.name+"-unknown")
			e.is("an unknown name", err, jcache.ErrCacheNotFound)
			_, err = jcache.GetCache[int, string](e.ctx, m, e.name)
			e.is("another type of key", err, jcache.ErrTypeMismatch)
			_, err = jcache.GetCache[string, int](e.ctx, m, e.name)
			e.is("another type of value", err, jcache.ErrTypeMismatch)
			for _, name := range []string{"", "a b", "a/b", "a:b", "ключ", string(make([]byte, 129))} {
				_, err := jcache.CreateCache(e.ctx, m, name, jcache.Options[string, string]{})
				e.is("a name that no cache can have", err, jcache.ErrInvalid)
			}
		},
	},
	{
		name:   "manager/names",
		rule:   "The names are a snapshot: destroying a cache changes the next listing, not an earlier one.",
		source: "JSR-107: CacheManager.getCacheNames",
		run: func(e *env) {
			m := e.manager(0)
			names := func() []string {
				list, err := m.CacheNames()
				e.ok(err)
				return list
			}
			e.equal("of a new manager", len(names()), 0)
			c := createCache(e, m, e.name+"-b", jcache.Options[string, string]{})
			createCache(e, m, e.name+"-a", jcache.Options[string, string]{})
			before := names()
			e.equal("of two caches", before, []string{e.name + "-a", e.name + "-b"})
			e.ok(c.Close(e.ctx))
			e.equal("listed before one was closed", before, []string{e.name + "-a", e.name + "-b"})
			e.equal("listed after one was closed", names(), []string{e.name + "-a"})
		},
	},
	{
		name:   "manager/destroy",
		rule:   "destroyCache removes every entry, closes the cache and frees its name; an unknown name is ignored.",
		source: "JSR-107: CacheManager.destroyCache",
		needs:  emptying,
		run: func(e *env) {
			m := e.manager(0)
			c := createCache(e, m, e.name, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, newValue))
			e.ok(m.DestroyCache(e.ctx, e.name+"-unknown"))
			e.equal("closed after an unknown name was destroyed", c.Closed(), false)
			e.ok(m.DestroyCache(e.ctx, e.name))
			e.equal("closed after it was destroyed", c.Closed(), true)
			_, _, err := c.Get(e.ctx, key)
			e.is("get of a destroyed cache", err, jcache.ErrClosed)
			e.ok(m.DestroyCache(e.ctx, e.name))
			again := createCache(e, m, e.name, jcache.Options[string, string]{})
			e.equal("an entry from before", e.value(again.Get(e.ctx, key)), absent)
		},
	},
	{
		name:   "manager/close",
		rule:   "close closes every cache; entries stay where they are; closing twice is harmless; every operation of a closed manager is refused.",
		source: "JSR-107: CacheManager.close",
		run: func(e *env) {
			m := e.manager(0)
			c := createCache(e, m, e.name, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, newValue))
			e.equal("closed at first", m.Closed(), false)
			e.ok(m.Close(e.ctx))
			e.ok(m.Close(e.ctx))
			e.equal("closed", m.Closed(), true)
			e.equal("its cache is closed", c.Closed(), true)
			_, err := jcache.CreateCache(e.ctx, m, e.name+"-2", jcache.Options[string, string]{})
			e.is("createCache", err, jcache.ErrClosed)
			_, err = jcache.CreateCache(e.ctx, m, "no name", jcache.Options[string, string]{})
			e.is("createCache of a bad name", err, jcache.ErrClosed)
			_, err = jcache.GetCache[string, string](e.ctx, m, e.name)
			e.is("getCache", err, jcache.ErrClosed)
			_, err = jcache.GetCache[string, string](e.ctx, m, e.name+"-unknown")
			e.is("getCache of an unknown name", err, jcache.ErrClosed)
			_, err = m.CacheNames()
			e.is("getCacheNames", err, jcache.ErrClosed)
			e.is("destroyCache", m.DestroyCache(e.ctx, e.name), jcache.ErrClosed)
			e.is("ping", m.Ping(e.ctx), jcache.ErrClosed)
			e.equal("the entry, through another manager", e.value(newCache(e, jcache.Options[string, string]{}).Get(e.ctx, key)), newValue)
		},
	},
	{
		name:   "cache/close",
		rule:   "A closed cache refuses every operation, before it looks at the arguments; closing is idempotent; the name can be opened again and the entries are still there.",
		source: "JSR-107: Cache.close",
		run: func(e *env) {
			m := e.manager(0)
			c := createCache(e, m, e.name, jcache.Options[string, string]{})
			e.ok(c.Put(e.ctx, key, newValue))
			e.ok(c.Close(e.ctx))
			e.ok(c.Close(e.ctx))
			e.equal("closed", c.Closed(), true)
			e.equal("Name", c.Name(), e.name)
			for _, op := range operations {
				if op.needs.met(e.suite.features.Without(e.disabled...)) {
					_, err := op.run(e.ctx, c, []string{"", key}, "", "")
					e.is(op.name+" of a closed cache", err, jcache.ErrClosed)
				}
			}
			var none jcache.Processor[string, string, string]
			_, err := jcache.Invoke(e.ctx, c, key, none)
			e.is("invoke of a closed cache without a processor", err, jcache.ErrClosed)
			_, err = jcache.InvokeAll(e.ctx, c, []string{key}, none)
			e.is("invokeAll of a closed cache without a processor", err, jcache.ErrClosed)
			_, err = jcache.InvokeExclusive(e.ctx, c, key, 0, none)
			e.is("invokeExclusive of a closed cache without a processor", err, jcache.ErrClosed)
			for _, err := range c.All(e.ctx) {
				e.is("iterate over a closed cache", err, jcache.ErrClosed)
			}
			again := createCache(e, m, e.name, jcache.Options[string, string]{})
			e.equal("the entry", e.value(again.Get(e.ctx, key)), newValue)
			found, err := jcache.GetCache[string, string](e.ctx, m, e.name)
			e.ok(err)
			e.equal("the cache that is found is the open one", found == again, true)
		},
	},
	{
		name:   "cache/close inside a loop",
		rule:   "Close does not wait for the body of a loop, and the loop ends with ErrClosed at its next step.",
		source: "jcache.Cache.Close, jcache.Cache.All",
		needs:  iterating,
		run: func(e *env) {
			for _, what := range []string{"the cache", "its manager"} {
				m := e.manager(0)
				c := createCache(e, m, e.name, jcache.Options[string, string]{})
				e.ok(c.PutAll(e.ctx, manyKeys(30)))
				steps, last := 0, error(nil)
				for _, err := range c.All(e.ctx) {
					if steps++; steps == 2 && what == "the cache" {
						e.ok(c.Close(e.ctx))
					} else if steps == 2 {
						e.ok(m.Close(e.ctx))
					}
					last = err
				}
				e.is("the end of a loop that closed "+what, last, jcache.ErrClosed)
				e.equal("steps of a loop that closed "+what, steps, 3)
				e.ok(m.Close(e.ctx))
			}
			e.equal("an entry afterwards", e.value(newCache(e, jcache.Options[string, string]{}).Get(e.ctx, keyMark+"0007")), "text 7")
		},
	},
	{
		name:   "cache/close leaves other openings alone",
		rule:   "Entries stay where they are when a cache is closed.",
		source: "JSR-107: Cache.close",
		run: func(e *env) {
			a, b := newCaches(e, jcache.Options[string, string]{})
			e.ok(a.Put(e.ctx, key, newValue))
			e.ok(a.Close(e.ctx))
			e.equal("read through another manager", e.value(b.Get(e.ctx, key)), newValue)
			e.ok(b.Put(e.ctx, key, oldValue))
		},
	},
	{
		name:   "cache/views share the entries",
		rule:   "WithExpiryPolicy returns a view of the same cache whose operations ask another policy.",
		source: "jcache.Cache.WithExpiryPolicy",
		run: func(e *env) {
			c := newCache(e, jcache.Options[string, string]{})
			p := counted("never", answers{jcache.ExpireNever(), jcache.ExpireNever(), jcache.ExpireNever()})
			view := c.WithExpiryPolicy(p.policy)
			e.ok(view.Put(e.ctx, key, newValue))
			e.equal("read through the cache", e.value(c.Get(e.ctx, key)), newValue)
			e.equal("what the view's policy was asked", p.counts.String(), "1 created, 0 accessed, 0 updated")
			e.ok(c.Close(e.ctx))
			e.equal("the view is closed with the cache", view.Closed(), true)
			_, _, err := view.Get(e.ctx, key)
			e.is("get through the view of a closed cache", err, jcache.ErrClosed)
		},
	},
}
