package driver

// Features holds the optional interfaces of a cache, nil where it lacks one. It
// is filled once, when the cache is opened, so that whoever wraps a driver
// decides in one place what it passes on.
type Features struct {
	// Each field is documented with its type.
	BatchGetter BatchGetter
	BatchPutter BatchPutter
	Exchanger   Exchanger
	Toucher     Toucher
	Invoker     Invoker
	Scanner     Scanner
	Clearer     Clearer
	Sizer       Sizer
	Watcher     Watcher
	Locker      Locker
	Locality    Locality
	Unwrapper   Unwrapper
	Prolonger   Prolonger // without a name, see there, as the following
	KeyWatcher  KeyWatcher
	Freshness   Freshness
}

// FeaturesOf asserts each optional interface of c once. A cache that wraps
// another one implements Features() Features and is asked instead.
func FeaturesOf(c Cache) Features {
	if w, ok := c.(interface{ Features() Features }); ok {
		return w.Features()
	}
	var f Features
	f.BatchGetter, _ = c.(BatchGetter)
	f.BatchPutter, _ = c.(BatchPutter)
	f.Exchanger, _ = c.(Exchanger)
	f.Toucher, _ = c.(Toucher)
	f.Invoker, _ = c.(Invoker)
	f.Scanner, _ = c.(Scanner)
	f.Clearer, _ = c.(Clearer)
	f.Sizer, _ = c.(Sizer)
	f.Watcher, _ = c.(Watcher)
	f.Locker, _ = c.(Locker)
	f.Locality, _ = c.(Locality)
	f.Unwrapper, _ = c.(Unwrapper)
	f.Prolonger, _ = c.(Prolonger)
	f.KeyWatcher, _ = c.(KeyWatcher)
	f.Freshness, _ = c.(Freshness)
	return f
}

// A Feature names one optional interface.
type Feature string

// The optional interfaces by name, in the order of the fields of Features.
const (
	FeatureBatchGet Feature = "batch get"
	FeatureBatchPut Feature = "batch put"
	FeatureExchange Feature = "exchange"
	FeatureTouch    Feature = "touch"
	FeatureInvoke   Feature = "invoke"
	FeatureScan     Feature = "scan"
	FeatureClear    Feature = "clear"
	FeatureSize     Feature = "size"
	FeatureWatch    Feature = "watch"
	FeatureLock     Feature = "lock"
	FeatureLocality Feature = "locality"
	FeatureUnwrap   Feature = "unwrap"
)

// List returns the features that are present.
func (f Features) List() []Feature { return f.list(true) }

// Missing returns the features that are not present.
func (f Features) Missing() []Feature { return f.list(false) }

func (f Features) list(present bool) []Feature {
	var list []Feature
	for _, e := range []struct {
		name    Feature
		present bool
	}{
		{FeatureBatchGet, f.BatchGetter != nil},
		{FeatureBatchPut, f.BatchPutter != nil},
		{FeatureExchange, f.Exchanger != nil},
		{FeatureTouch, f.Toucher != nil},
		{FeatureInvoke, f.Invoker != nil},
		{FeatureScan, f.Scanner != nil},
		{FeatureClear, f.Clearer != nil},
		{FeatureSize, f.Sizer != nil},
		{FeatureWatch, f.Watcher != nil},
		{FeatureLock, f.Locker != nil},
		{FeatureLocality, f.Locality != nil},
		{FeatureUnwrap, f.Unwrapper != nil},
	} {
		if e.present == present {
			list = append(list, e.name)
		}
	}
	return list
}

// Without returns f less the named features. The conformance suite uses it to
// run every fallback on every driver.
func (f Features) Without(names ...Feature) Features {
	for _, name := range names {
		switch name {
		case FeatureBatchGet:
			f.BatchGetter = nil
		case FeatureBatchPut:
			f.BatchPutter = nil
		case FeatureExchange:
			f.Exchanger = nil
		case FeatureTouch:
			f.Toucher = nil
		case FeatureInvoke:
			f.Invoker = nil
		case FeatureScan:
			f.Scanner = nil
		case FeatureClear:
			f.Clearer = nil
		case FeatureSize:
			f.Sizer = nil
		case FeatureWatch:
			f.Watcher, f.KeyWatcher, f.Freshness = nil, nil, nil
		case FeatureLock:
			f.Locker = nil
		case FeatureLocality:
			f.Locality = nil
		case FeatureUnwrap:
			f.Unwrapper = nil
		}
	}
	return f
}
