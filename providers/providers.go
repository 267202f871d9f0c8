// Package providers links every provider into a program, so that a configuration can
// choose any of them by its name:
//
//	import _ "github.com/keepsake-cache/keepsake/providers"
//
// A program that needs fewer imports their packages instead and is smaller for it.
package providers

import (
	_ "github.com/keepsake-cache/keepsake/providers/gocache/bigcache" // gocache
	_ "github.com/keepsake-cache/keepsake/providers/gocache/memcache" // gocache
	_ "github.com/keepsake-cache/keepsake/providers/gocache/redis"    // gocache
	_ "github.com/keepsake-cache/keepsake/providers/hazelcast"        // hazelcast
	_ "github.com/keepsake-cache/keepsake/providers/memcached"        // memcached
	_ "github.com/keepsake-cache/keepsake/providers/memory"           // memory
	_ "github.com/keepsake-cache/keepsake/providers/peer"             // peer
	_ "github.com/keepsake-cache/keepsake/providers/redis"            // redis
	_ "github.com/keepsake-cache/keepsake/providers/sql/mysql"        // sql
	_ "github.com/keepsake-cache/keepsake/providers/sql/postgres"     // sql
	_ "github.com/keepsake-cache/keepsake/providers/sql/sqlite"       // sql
)
