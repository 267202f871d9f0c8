package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
)

// settledMemory is residentMemory after the process has collected its garbage and has given back to
// the system what it does not use.
func settledMemory() (int64, error) {
	debug.FreeOSMemory()
	return residentMemory()
}

// ticks returns the processor time that processes have used so far, in hundredths of a
// second. One that is gone counts nothing.
func ticks(pids []int) (sum float64) {
	for _, pid := range pids {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		// The name, in parentheses, may contain anything.
		f := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		for _, field := range f[11:13] { // utime and stime
			n, _ := strconv.ParseFloat(string(field), 64)
			sum += n
		}
	}
	return sum
}

// residentMemory returns the bytes of memory in which this process has its data. The pages
// of the program's file, which all processes of the benchmark share, are not among them.
func residentMemory() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(status) {
		if f := bytes.Fields(line); len(f) == 3 && string(f[0]) == "RssAnon:" {
			kib, err := strconv.ParseInt(string(f[1]), 10, 64)
			return kib << 10, err
		}
	}
	return 0, fmt.Errorf("/proc/self/status does not say how much memory is used")
}
