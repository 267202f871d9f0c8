// Package keepsake is a map; the code is in its folders.
//
//   - jcache: caches in the shape of JCache (JSR-107); jcache/codec, how values are
//     stored; jcache/near, copies of what was read; and jcache/driver, what a provider
//     implements
//   - httpsession: HTTP sessions in such a cache
//   - configfile: an XML or YAML file becomes open caches and sessions, and serves
//   - providers: memory, a grid of peers, memcached, Redis, Hazelcast, databases by SQL
//     and the stores of eko/gocache keep the entries
//   - conformance: the suite that a provider must pass
//   - metrics: what Keepsake knows of itself, for Prometheus
//   - command: the command keepsake, for programs with providers of their own
//   - examples/webshop: all of it at work
//
// Start with README.md, then docs/architecture.md.
package keepsake
