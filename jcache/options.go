package jcache

import "time"

// Options says what only the program can say about a cache. The zero value is a
// cache of eternal entries in the tagged encoding.
//
// A policy or codec that is an io.Closer belongs to the cache as soon as it is created, and
// is closed with it.
type Options[K comparable, V any] struct {
	// ExpiryPolicy decides when entries expire. Nil: the policy that the
	// configuration declares for the cache's name, or else Eternal.
	ExpiryPolicy ExpiryPolicy[K, V]

	// LongestTTL is the longest life that an Expiry of your own gives an entry,
	// counted from its last write or touch. Some providers can then keep
	// entries with fewer round trips, and forget them sooner. An entry that
	// lives longer is kept all the same. Zero: unknown. The policies of this
	// package know it themselves.
	LongestTTL time.Duration

	// Codec encodes values. Nil: the one that the configuration declares for the
	// cache's name, or else Tagged.
	Codec Codec[V]

	// Equal compares values for CompareAndReplace and CompareAndRemove. Nil:
	// values are equal if their encodings are, or if reflect.DeepEqual says
	// so.
	Equal func(a, b V) bool

	// Near keeps copies of records in this process, such as near.Options of package jcache/near. Nil: what the
	// configuration declares for the cache's name, or else none.
	//
	// With it, Get, GetAll, GetEntry and ContainsKey may answer with what was stored a moment ago; how
	// long that is the near cache says. What this process writes through the cache it sees at once. Every operation that
	// may change something decides by what is stored.
	Near NearCache

	// Statistics counts the operations from the start. It costs a few nanoseconds of each, and
	// RemoveKeys and RemoveAll then look at each entry. CacheManager.EnableStatistics switches it
	// later.
	Statistics bool
}

// CacheConfig is what a configuration file can say about a cache.
type CacheConfig struct {
	// Name of the cache: 1 to 128 of the characters A–Z a–z 0–9 . _ -
	Name string
	// ExpiryPolicy is a name for NewExpiryPolicy, and ExpiryDuration its duration.
	ExpiryPolicy   string
	ExpiryDuration time.Duration
	// Codec is the name of the format that encodes values: "cbor", "json", "gob", or
	// one of codec.RegisterFormat. Empty: Options.Codec, or "cbor".
	Codec string
	// Near keeps copies of records in this process. Nil: Options.Near, or none.
	Near NearCache
	// Statistics is Options.Statistics; either switches it on.
	Statistics bool
}
