package configfile

import (
	"errors"
	"regexp"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/near"
)

// documentElement is the root.
var documentElement = &element{
	name:  rootName,
	doc:   "Configures caches and HTTP sessions.",
	inner: []*element{managerElement, sessionElement, sessionCacheElement, sessionDatabaseElement, shutdownElement},
	refused: map[string]string{
		rootName:          "the document as a whole is the element keepsake; leave this one out",
		serverName:        "the document as a whole is the element keepsake; leave this one out",
		"include":         "a file stands alone",
		"variable":        "variables are those of the environment, ${NAME}",
		"cachingProvider": "providers are linked into the program; name one in cacheManager",
		"library":         "providers are linked into the program; name one in cacheManager",
		"cache":           "a cache stands inside of its cacheManager",
		"dataSource":      "a database is a cacheManager with provider sql, and its address is the property url",
		"jdbcDriver":      "providers are linked into the program; name sql in cacheManager",
		"featureManager":  "there are no features to switch on",
	},
}

const (
	rootName       = "keepsake"
	serverName     = "server" // Open Liberty's
	providerWord   = "provider"
	propertiesName = "properties"
)

var managerElement = &element{
	name: "cacheManager",
	doc:  "A connection to a provider, and its caches.",
	words: []word{
		{Setting: driver.Setting{Name: "id", Doc: "Name for references; needed if there are several."}, valid: validID},
		{Setting: driver.Setting{Name: providerWord, Required: true, Doc: "Which kind of backend keeps the entries."}},
		{Setting: driver.Setting{Name: "uri", Kind: driver.KindFile, Doc: "The provider's own configuration file, relative to this one."}, valid: validFile},
	},
	inner: []*element{
		{name: propertiesName, doc: "Settings of the provider.", byProvider: true},
		cacheElement,
	},
	refused: map[string]string{
		"cachingProvider":    linkedIn,
		"cachingProviderRef": linkedIn,
		"library":            linkedIn,
		"libraryRef":         linkedIn,
	},
	repeated: true,
}

const (
	nearCacheWord       = "nearCache"
	nearCacheMaxAgeWord = "nearCacheMaxAge"
)

var cacheElement = &element{
	name: "cache",
	doc:  "A cache that programs open by its name.",
	words: []word{
		{Setting: driver.Setting{Name: "name", Required: true, Doc: "1 to 128 of the characters A-Z a-z 0-9 . _ -"}, valid: validCacheName},
		{Setting: driver.Setting{Name: "expiryPolicy", Default: "eternal", OneOf: jcache.ExpiryPolicyNames(),
			Doc: "From when on entries live for expiry: their creation, last read, last update, or last use of any kind; eternal ones live for ever."}},
		{Setting: driver.Setting{Name: "expiry", Kind: driver.KindDuration, Doc: "How long entries live by the expiryPolicy."}},
		{Setting: driver.Setting{Name: "codec", Default: codec.Default,
			Doc: "How values are encoded: cbor, json, gob, or a format of the program's, which can choose one where this is not set."}, valid: validCodec},
		{Setting: driver.Setting{Name: nearCacheWord, Kind: driver.KindSize, Max: near.MostBytes,
			Doc: "Memory in this process for copies of what was read, so that reading it again costs no round trip; 0: none. It is set aside by and by, in whole MiB."}},
		{Setting: driver.Setting{Name: nearCacheMaxAgeWord, Kind: driver.KindDuration,
			Doc: "How old a copy may be, and so how long a change by another process may be unseen; 0: 1s, or 10s where the provider tells of changes, which are seen as soon as they are told."}},
		{Setting: driver.Setting{Name: "statistics", Kind: driver.KindBool,
			Doc: "Whether hits, misses, puts and removals are counted; the program can switch it."}},
	},
	refused: map[string]string{
		"cacheManagerRef": "a cache belongs to the cacheManager around it",
	},
	repeated: true,
}

var sessionCacheElement = &element{
	name: "httpSessionCache",
	doc:  "Where and how the sessions of an httpSession are stored.",
	words: []word{
		{Setting: driver.Setting{Name: "id", Doc: "The id of the httpSession it belongs to; needed if there are several."}, valid: validID},
		{Setting: driver.Setting{Name: "cacheManagerRef", Doc: "The id of the cacheManager; needed if there are several."}},
		{Setting: driver.Setting{Name: "cacheNamePrefix",
			Doc: "What the name of the sessions' cache begins with, so that deployments can share a provider."}, valid: validPrefix},
	},
	fixed: []fixed{
		{Setting: driver.Setting{Name: "writeFrequency", OneOf: writeFrequencies},
			only: "END_OF_SERVLET_SERVICE", why: storedAtOnce},
		{Setting: driver.Setting{Name: "writeContents", OneOf: []string{"ONLY_SET_ATTRIBUTES", "GET_AND_SET_ATTRIBUTES", "ALL_SESSION_ATTRIBUTES"}},
			only: "ONLY_SET_ATTRIBUTES", why: storedWhenSet},
		{Setting: driver.Setting{Name: "appInCacheName", Kind: driver.KindBool},
			only: "false", why: "a program is one application; set them apart with cacheNamePrefix"},
	},
	refused: map[string]string{
		"libraryRef":                     "providers are linked into the program; name one in cacheManager",
		"cacheManager":                   "it stands beside httpSessionCache; give it an id, and refer to it by cacheManagerRef",
		"library":                        "providers are linked into the program; name one in cacheManager",
		"enableBetaSupportForInfinispan": "there is nothing to enable",
		"uri":                            "it belongs to the cacheManager",
		"properties":                     "they belong to the cacheManager",
		"writeInterval":                  notAtIntervals,
		"cacheSeparator":                 "cache names need no encoding here",
		"scheduleInvalidationFirstHour":  noReaper,
		"scheduleInvalidationSecondHour": noReaper,
	},
	repeated: true,
}

const linkedIn = "providers are linked into the program, and no library is loaded; give the name of one as provider, and its own file as uri"

// What httpSessionCache and httpSessionDatabase say about the same names.
const (
	noReaper       = "the provider ends each session at its deadline; there is no reaper to schedule"
	notAtIntervals = "nothing is written at intervals; changes are stored before the response leaves"
	storedAtOnce   = "changes are stored before the first byte of the response leaves, so that no server's end loses them"
	storedWhenSet  = "attributes are stored when they are set; one that was changed in place must be set again"
)

var writeFrequencies = []string{"END_OF_SERVLET_SERVICE", "MANUAL_UPDATE", "TIME_BASED_WRITE"}

var (
	idPattern     = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)
	prefixPattern = regexp.MustCompile(`^[A-Za-z0-9._-]{0,50}$`)
	namePattern   = regexp.MustCompile(`^[A-Za-z0-9._-]{1,128}$`)
)

func validID(v any) error {
	return match(v, idPattern, "an id has 1 to 64 of the characters A-Z a-z 0-9 . _ -")
}

func validPrefix(v any) error {
	return match(v, prefixPattern, "a prefix has up to 50 of the characters A-Z a-z 0-9 . _ -")
}

func validCacheName(v any) error {
	return match(v, namePattern, "a cache's name has 1 to 128 of the characters A-Z a-z 0-9 . _ -")
}

func match(v any, pattern *regexp.Regexp, otherwise string) error {
	if !pattern.MatchString(v.(string)) {
		return errors.New(otherwise)
	}
	return nil
}

// validCodec looks for the format when the document is read, for programs register theirs
// when they start.
func validCodec(v any) error {
	if _, err := codec.FormatOf(v.(string)); err != nil {
		return errors.New("this program has no codec of that name; it has " + strings.Join(codec.Formats(), ", "))
	}
	return nil
}

func validFile(v any) error {
	if name := v.(string); strings.HasPrefix(name, "file:") || strings.Contains(name, "://") {
		return errors.New("takes the name of a file, not a URL")
	}
	return nil
}

// definitions returns the providers that are linked into the program, by name.
func definitions() []driver.Definition {
	var list []driver.Definition
	for _, name := range jcache.Providers() {
		d, err := jcache.Definition(name)
		if err == nil {
			list = append(list, d)
		}
	}
	return list
}

// propertiesOf defines what a provider's properties hold.
func propertiesOf(d driver.Definition) *element {
	return settingsElement(propertiesName, "Settings of the provider "+d.Name+".", d.Settings, d.Rules)
}
