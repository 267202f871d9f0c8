// Package conformance is the suite that a provider must pass. A provider's own
// test runs it on a real backend:
//
//	func TestConformance(t *testing.T) {
//		server := servertest.Memcached(t)
//		conformance.Run(t, conformance.Harness{
//			Name: "memcached",
//			Connect: func(t conformance.T) driver.Provider {
//				p, err := memcached.Connect(t.Context(), memcached.Options{Servers: []string{server.Addr}})
//				if err != nil {
//					t.Fatalf("connect: %v", err)
//				}
//				return p
//			},
//			Lacks: []driver.Feature{driver.FeatureScan, driver.FeatureWatch, driver.FeatureLock},
//		})
//	}
//
// [Check] does the same without package testing, for commands.
//
// # What is run
//
// Driver cases call the bare [driver.Cache]; each stands for a sentence of that
// package's documentation. Cache cases call a [jcache.Cache] on top of it; each
// stands for a sentence of JSR-107, or of package jcache where the two differ.
// They run on the driver as it is, then without each optional interface that
// concerns them, and at last on the five mandatory operations alone: the results
// must be the same. Most cases use two connections, so that nothing passes which
// only holds within one.
//
// A case whose optional interface the provider lacks is counted as unsupported,
// after a look that the operation behind it says so with errors.ErrUnsupported.
// Harness.Lacks must name exactly what is lacking: an interface that is lost by
// accident fails the suite, and so does one that is found again.
//
// # Reading a failure
//
// A failure shows the rule that was broken, in the words of the contract, where the
// rule comes from, and what was seen. Random cases print their operations, shortened,
// and the seed; KEEPSAKE_SEED, or Harness.Seed, repeats it. With the same
// seed every provider meets the same operations.
//
// # What it asks of the backend
//
// Room for a few megabytes without evictions, and a clock that agrees with this
// machine's to a few milliseconds. Each case has a cache of its own, with a random
// name, and empties it at the end where the provider can do that.
package conformance
