// Package conformance is the suite that a provider must pass. A provider's own
// test runs it on a real backend:
//
//	func TestConformance(t *testing.T) {
//		server := startServer(t) // a real one, on a free port
//		connect := func(t conformance.T, addr string) driver.Provider {
//			p, err := etcd.Connect(t.Context(), etcd.Options{Servers: []string{addr}})
//			if err != nil {
//				t.Fatalf("connect: %v", err)
//			}
//			return p
//		}
//		conformance.Run(t, conformance.Harness{
//			Name:      "etcd",
//			Connect:   func(t conformance.T) driver.Provider { return connect(t, server.Addr) },
//			Server:    server.Addr,
//			ConnectTo: connect,
//			Lacks:     []driver.Feature{driver.FeatureInvoke, driver.FeatureLocality},
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
// concerns them, and at last on the mandatory operations alone: the results
// must be the same. Most cases use two connections, so that nothing passes which
// only holds within one.
//
// Network cases break the network. Where Harness.Server and Harness.ConnectTo are given,
// the suite puts a proxy between the driver and the server: it loses requests and
// answers, cuts answers, keeps silent, stalls, refuses connections and slows them down,
// while another connection watches what is really stored. So it is seen whether an error is
// swallowed, told as absence or as unavailability, whether a client sends a write twice,
// whether contexts are obeyed, what Close leaves behind, and whether the provider recovers.
// The connection must reach the server through the proxy alone: switch off in ConnectTo what
// lets a client find its servers by itself. A provider that keeps its records in this process
// has no network; its report says that those cases were not run.
//
// A case whose optional interface the provider lacks is counted as unsupported,
// after a look that the operation behind it says so with errors.ErrUnsupported.
// Harness.Lacks must name exactly what is lacking: an interface that is lost by
// accident fails the suite, and so does one that is found again.
//
// # Reading a failure
//
// A failure shows the rule that was broken, in the words of the contract, where the
// rule comes from, and what was seen. The report begins with the first rule that a case
// found broken when it was run alone, and counts and names what may follow from it: mend
// that one first. Random cases print their operations, shortened. The seed is always
// printed; KEEPSAKE_SEED, or Harness.Seed, repeats it, and with the same seed every
// provider meets the same operations. Bytes of keys and records are printed as escapes.
//
// # What it asks of the backend
//
// Room for a few megabytes without evictions, and, if the driver sends times of day, a
// clock that agrees with this machine's: no record may go a moment before its deadline, and
// [driver] says whose clock that is. Each case has a cache of its own, with a random
// name, and empties it at the end where the provider can do that.
package conformance
