// Command sessionapp is the application under test for sessions across servers: a
// small HTTP interface to the session of the request. Start two of them with one
// configuration, and what is done through one must be seen through the other.
//
//	sessionapp -listen 127.0.0.1:8081 -name A -config memcached.yaml
package main

import "github.com/keepsake-cache/keepsake/internal/sessionapp"

func main() { sessionapp.Main() }
