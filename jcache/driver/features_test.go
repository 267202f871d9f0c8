package driver_test

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// everything has all optional interfaces and does nothing.
type everything struct{ driver.Cache }

func (everything) GetBatch(context.Context, []string) ([]driver.Item, error) { return nil, nil }
func (everything) PutBatch(context.Context, []driver.Entry) []error          { return nil }
func (everything) Touch(context.Context, string, driver.Token, time.Time) (bool, error) {
	return false, nil
}
func (everything) Invoke(context.Context, string, string, []byte) ([]byte, error) { return nil, nil }
func (everything) Scan(context.Context) iter.Seq2[driver.Item, error]             { return nil }
func (everything) Clear(context.Context) error                                    { return nil }
func (everything) Size(context.Context) (int, error)                              { return 0, nil }
func (everything) Placement(string) driver.Placement                              { return driver.Remote }
func (everything) Unwrap() any                                                    { return nil }
func (everything) Exchange(context.Context, string, []byte, time.Time) (driver.Item, bool, error) {
	return driver.Item{}, false, nil
}
func (everything) Watch(context.Context, func(driver.Event)) (func(), error) { return nil, nil }
func (everything) Lock(context.Context, string, time.Duration) (func(context.Context) error, error) {
	return nil, nil
}

var all = []driver.Feature{
	driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureScan, driver.FeatureClear,
	driver.FeatureSize, driver.FeatureWatch, driver.FeatureLock, driver.FeatureLocality, driver.FeatureUnwrap,
}

func TestFeatures(t *testing.T) {
	f := driver.FeaturesOf(everything{})
	if got := f.List(); !slices.Equal(got, all) {
		t.Errorf("features of a cache that has them all: %v", got)
	}
	for i, one := range all {
		want := slices.Delete(slices.Clone(all), i, i+1)
		if got := f.Without(one).List(); !slices.Equal(got, want) {
			t.Errorf("without %s: %v", one, got)
		}
		if got := f.Without(one).Missing(); !slices.Equal(got, []driver.Feature{one}) {
			t.Errorf("missing without %s: %v", one, got)
		}
	}
	if got := f.Without(all...).List(); len(got) != 0 {
		t.Errorf("without all: %v", got)
	}
	if got := f.Without().List(); !slices.Equal(got, all) {
		t.Errorf("without nothing: %v", got)
	}
	if got := driver.FeaturesOf(struct{ driver.Cache }{}).List(); len(got) != 0 {
		t.Errorf("features of a bare cache: %v", got)
	}
}

// wrapper passes on one feature only.
type wrapper struct{ everything }

func (w wrapper) Features() driver.Features { return driver.Features{Sizer: w} }

func TestFeaturesOfAWrapper(t *testing.T) {
	if got := driver.FeaturesOf(wrapper{}).List(); !slices.Equal(got, []driver.Feature{driver.FeatureSize}) {
		t.Errorf("a wrapper is not asked: %v", got)
	}
}

func TestZeroToken(t *testing.T) {
	for token, want := range map[*driver.Token]bool{{}: true, {N: 1}: false, {B: []byte{}}: false, {B: []byte{0}}: false} {
		if token.IsZero() != want {
			t.Errorf("%+v: IsZero is %v", *token, token.IsZero())
		}
	}
}
