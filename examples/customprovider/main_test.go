package main

import (
	"testing"

	"github.com/keepsake-cache/keepsake/conformance"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestConformance(t *testing.T) {
	conformance.Run(t, conformance.Harness{
		Name:    "tiny",
		Connect: func(conformance.T) driver.Provider { return &provider{} },
		Lacks: []driver.Feature{
			driver.FeatureBatchGet, driver.FeatureBatchPut, driver.FeatureExchange, driver.FeatureTouch, driver.FeatureInvoke, driver.FeatureScan,
			driver.FeatureClear, driver.FeatureSize, driver.FeatureWatch, driver.FeatureLock, driver.FeatureLocality, driver.FeatureUnwrap,
		},
	})
}
