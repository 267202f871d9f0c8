package conformance

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

type stringCache = *jcache.Cache[string, string]

// An operation is a call of the cache, with its result as a text: a value or
// absent, true or false, nothing, or one value for each key, separated by commas.
type operation struct {
	name   string
	source string
	needs  need
	uses   []driver.Feature
	many   bool // it is for all keys that it is given, not for the first one only
	whole  bool // it is for the whole cache
	run    func(ctx context.Context, c stringCache, keys []string, value, old string) (string, error)
}

var (
	usesTouch    = []driver.Feature{driver.FeatureTouch}
	usesInvoke   = []driver.Feature{driver.FeatureInvoke}
	usesExchange = []driver.Feature{driver.FeatureExchange}
	usesBatchGet = []driver.Feature{driver.FeatureBatchGet, driver.FeatureTouch}
	usesBatchPut = []driver.Feature{driver.FeatureBatchPut}
	usesClear    = []driver.Feature{driver.FeatureClear, driver.FeatureScan}
)

// errRefused is what a processor fails with.
var errRefused = errors.New("refused by the processor")

var operations = []operation{
	{name: "get", source: "JSR-107: Cache.get", uses: usesTouch,
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			value, ok, err := c.Get(ctx, keys[0])
			return orAbsent(value, ok), err
		}},
	{name: "getEntry", source: "jcache.Cache.GetEntry", uses: usesTouch,
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			entry, ok, err := c.GetEntry(ctx, keys[0])
			return orAbsent(entry.Value, ok), err
		}},
	{name: "getAll", source: "JSR-107: Cache.getAll", uses: usesBatchGet, many: true,
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			found, err := c.GetAll(ctx, keys...)
			return each(keys, func(k string) string { v, ok := found[k]; return orAbsent(v, ok) }), err
		}},
	{name: "containsKey", source: "JSR-107: Cache.containsKey",
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			return boolean(c.ContainsKey(ctx, keys[0]))
		}},
	{name: "put", source: "JSR-107: Cache.put",
		run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
			return "", c.Put(ctx, keys[0], value)
		}},
	{name: "getAndPut", source: "JSR-107: Cache.getAndPut", uses: usesExchange,
		run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
			was, had, err := c.GetAndPut(ctx, keys[0], value)
			return orAbsent(was, had), err
		}},
	{name: "putAll", source: "JSR-107: Cache.putAll", uses: usesBatchPut, many: true,
		run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
			entries := make(map[string]string, len(keys))
			for _, k := range keys {
				entries[k] = value
			}
			return "", c.PutAll(ctx, entries)
		}},
	{name: "putIfAbsent", source: "JSR-107: Cache.putIfAbsent",
		run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
			return boolean(c.PutIfAbsent(ctx, keys[0], value))
		}},
	{name: "remove", source: "JSR-107: Cache.remove(key)", uses: usesExchange,
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			return boolean(c.Remove(ctx, keys[0]))
		}},
	{name: "compareAndRemove", source: "JSR-107: Cache.remove(key, oldValue)", uses: usesTouch,
		run: func(ctx context.Context, c stringCache, keys []string, _, old string) (string, error) {
			return boolean(c.CompareAndRemove(ctx, keys[0], old))
		}},
	{name: "getAndRemove", source: "JSR-107: Cache.getAndRemove", uses: usesExchange,
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			was, had, err := c.GetAndRemove(ctx, keys[0])
			return orAbsent(was, had), err
		}},
	{name: "replace", source: "JSR-107: Cache.replace(key, value)",
		run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
			return boolean(c.Replace(ctx, keys[0], value))
		}},
	{name: "compareAndReplace", source: "JSR-107: Cache.replace(key, oldValue, newValue)", uses: usesTouch,
		run: func(ctx context.Context, c stringCache, keys []string, value, old string) (string, error) {
			return boolean(c.CompareAndReplace(ctx, keys[0], old, value))
		}},
	{name: "getAndReplace", source: "JSR-107: Cache.getAndReplace",
		run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
			was, had, err := c.GetAndReplace(ctx, keys[0], value)
			return orAbsent(was, had), err
		}},
	{name: "removeKeys", source: "JSR-107: Cache.removeAll(keys)", many: true,
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			return "", c.RemoveKeys(ctx, keys...)
		}},
	{name: "removeAll", source: "JSR-107: Cache.removeAll()", needs: emptying, uses: usesClear, many: true, whole: true,
		run: func(ctx context.Context, c stringCache, _ []string, _, _ string) (string, error) {
			return "", c.RemoveAll(ctx)
		}},
	{name: "clear", source: "JSR-107: Cache.clear", needs: emptying, uses: usesClear, many: true, whole: true,
		run: func(ctx context.Context, c stringCache, _ []string, _, _ string) (string, error) {
			return "", c.Clear(ctx)
		}},
	{name: "iterate", source: "JSR-107: Cache.iterator", needs: iterating, uses: usesTouch, many: true, whole: true,
		run: func(ctx context.Context, c stringCache, keys []string, _, _ string) (string, error) {
			found := make(map[string]string)
			for entry, err := range c.All(ctx) {
				if err != nil {
					return "", err
				}
				found[entry.Key] += entry.Value // twice would show
			}
			return each(keys, func(k string) string { v, ok := found[k]; return orAbsent(v, ok) }), nil
		}},
}

func boolean(b bool, err error) (string, error) { return strconv.FormatBool(b), err }

func each(keys []string, of func(string) string) string {
	texts := make([]string, len(keys))
	for i, k := range keys {
		texts[i] = of(k)
	}
	return strings.Join(texts, ",")
}

type stringEntry = jcache.MutableEntry[string, string]

// lifeOfOwn is what the processors that set an expiry of their own set.
const lifeOfOwn = 7 * time.Hour

// processors are what the operations invoke… run. Each returns what it saw last.
var processors = []struct {
	name string
	uses []driver.Feature
	run  func(e *stringEntry, value string) (string, error)
}{
	{"nothing", nil, func(*stringEntry, string) (string, error) { return "done", nil }},
	{"exists", nil, func(e *stringEntry, _ string) (string, error) { return strconv.FormatBool(e.Exists()), nil }},
	{"value", usesTouch, func(e *stringEntry, _ string) (string, error) { return valueOf(e) }},
	{"set", nil, func(e *stringEntry, value string) (string, error) { e.SetValue(value); return valueOf(e) }},
	{"value+set", nil, func(e *stringEntry, value string) (string, error) {
		was, err := valueOf(e)
		e.SetValue("dropped")
		e.SetValue(value)
		return was, err
	}},
	{"remove", nil, func(e *stringEntry, _ string) (string, error) { e.Remove(); return valueOf(e) }},
	{"set+remove", nil, func(e *stringEntry, value string) (string, error) {
		e.SetValue(value)
		e.Remove()
		return strconv.FormatBool(e.Exists()), nil
	}},
	{"remove+set", nil, func(e *stringEntry, value string) (string, error) {
		e.Remove()
		e.SetValue(value)
		return strconv.FormatBool(e.Exists()), nil
	}},
	{"expiry", usesTouch, func(e *stringEntry, _ string) (string, error) {
		e.SetExpiry(jcache.ExpireAfter(lifeOfOwn))
		return valueOf(e)
	}},
	{"set+expiry", nil, func(e *stringEntry, value string) (string, error) {
		e.SetExpiry(jcache.ExpireAfter(lifeOfOwn))
		e.SetValue(value)
		return "done", nil
	}},
	{"set+fail", nil, func(e *stringEntry, value string) (string, error) { e.SetValue(value); return "", errRefused }},
	{"remove+fail", nil, func(e *stringEntry, _ string) (string, error) { e.Remove(); return "", errRefused }},
}

func valueOf(e *stringEntry) (string, error) {
	value, ok, err := e.Value()
	return orAbsent(value, ok), err
}

func readValue(_ context.Context, e *stringEntry) (string, error) { return valueOf(e) }

// init adds one operation for each processor and each kind of call.
func init() {
	for _, p := range processors {
		registered := jcache.RegisterProcessor("conformance."+p.name, jcache.Options[string, string]{}, p.run)
		processor := func(value string) jcache.Processor[string, string, string] {
			return func(_ context.Context, e *stringEntry) (string, error) { return p.run(e, value) }
		}
		operations = append(operations,
			operation{name: "invoke " + p.name, source: "JSR-107: Cache.invoke", uses: p.uses,
				run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
					return refusal(jcache.Invoke(ctx, c, keys[0], processor(value)))
				}},
			operation{name: "invokeRegistered " + p.name, source: "jcache.RegisteredProcessor.Invoke", uses: append(usesInvoke, p.uses...),
				run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
					return refusal(registered.Invoke(ctx, c, keys[0], value))
				}},
			operation{name: "invokeEntry " + p.name, source: "jcache.InvokeEntry", uses: p.uses,
				run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
					entry, _, err := c.WithExpiryPolicy(keepAll{}).GetEntry(ctx, keys[0])
					if err != nil {
						return "", err
					}
					return refusal(jcache.InvokeEntry(ctx, c, entry, processor(value)))
				}},
			operation{name: "invokeExclusive " + p.name, source: "jcache.InvokeExclusive", needs: locking, uses: p.uses,
				run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
					return refusal(jcache.InvokeExclusive(ctx, c, keys[0], lockLease, processor(value)))
				}},
			operation{name: "invokeAll " + p.name, source: "JSR-107: Cache.invokeAll", uses: p.uses, many: true,
				run: func(ctx context.Context, c stringCache, keys []string, value, _ string) (string, error) {
					results, err := jcache.InvokeAll(ctx, c, keys, processor(value))
					if err != nil {
						return "", err
					}
					texts := make([]string, len(keys))
					for i, k := range keys {
						if texts[i], err = refusal(results[k].Value, results[k].Err); err != nil {
							return "", err
						}
					}
					return strings.Join(texts, ","), nil
				}},
		)
	}
}

// refusal makes the error of a processor a result.
func refusal(result string, err error) (string, error) {
	if errors.Is(err, errRefused) || errors.Is(err, jcache.ErrProcessor) {
		return "refused", nil
	}
	return result, err
}

// keepAll is the policy of an observer: nothing it does moves a deadline.
type keepAll struct{}

func (keepAll) OnCreate(string, string) jcache.Expiry { return jcache.KeepExpiry() }
func (keepAll) OnAccess(string, string) jcache.Expiry { return jcache.KeepExpiry() }
func (keepAll) OnUpdate(string, string) jcache.Expiry { return jcache.KeepExpiry() }
