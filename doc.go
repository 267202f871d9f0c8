// Package keepsake is a map; the code is in its folders.
//
//   - jcache: caches in the shape of JCache (JSR-107), and jcache/driver, what a
//     provider implements
//   - httpsession: HTTP sessions in such a cache
//   - configfile: an XML or YAML file becomes open caches and sessions
//   - providers: memory, memcached and hazelcast keep the entries
//   - conformance: the suite that a provider must pass
//   - examples/webshop: all of it at work
//
// Start with README.md, then docs/architecture.md.
package keepsake
