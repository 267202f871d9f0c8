package main

import "os"

// crash ends this process as kill -9 does.
func crash() {
	if p, err := os.FindProcess(os.Getpid()); err == nil {
		_ = p.Kill()
	}
}
