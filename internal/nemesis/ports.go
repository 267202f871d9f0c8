package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
)

// freePorts finds n ports in a row on which nobody listens, and from which no connection
// is made by itself.
func freePorts(n int) (first int, err error) {
	for range 100 {
		first = 10_000 + rand.IntN(20_000)
		if allFree(first, n) {
			return first, nil
		}
	}
	return 0, errors.New("there are no free ports")
}

func allFree(first, n int) bool {
	for port := first; port < first+n; port++ {
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err != nil {
			return false
		}
		_ = l.Close() // nothing was written
	}
	return true
}
