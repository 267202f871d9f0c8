package conformance

import (
	"bytes"
	"context"
	"fmt"
	"math/rand/v2"
	"runtime/pprof"
	"strings"
)

// labelled calls f and returns a function that lists the goroutines which f has started,
// or which those have, and which still live. They are told from all others of the process
// by a label that they inherit.
func labelled(f func()) (living func() []string) {
	id := fmt.Sprintf("%016x", rand.Uint64())
	over := make(chan struct{})
	go func() {
		defer close(over)
		pprof.Do(context.Background(), pprof.Labels("conformance", id), func(context.Context) { f() })
	}()
	<-over
	return func() (list []string) {
		var text bytes.Buffer
		if err := pprof.Lookup("goroutine").WriteTo(&text, 1); err != nil {
			return nil
		}
		// Each stack is a paragraph: a number, the labels, and the functions, the one that
		// is running first.
		for stack := range strings.SplitSeq(text.String(), "\n\n") {
			if !strings.Contains(stack, `"conformance":"`+id+`"`) {
				continue
			}
			n := 1
			_, _ = fmt.Sscanf(stack, "%d @", &n) // or else it is one
			for range n {
				list = append(list, functionOf(stack))
			}
		}
		return list
	}
}

// functionOf names the function of a stack that says most: the first one outside the runtime
// and the standard library's waiting.
func functionOf(stack string) string {
	name := "a function"
	for line := range strings.Lines(stack) {
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[0] != "#" || !strings.HasPrefix(fields[1], "0x") {
			continue
		}
		name, _, _ = strings.Cut(fields[2], "+0x")
		if !strings.HasPrefix(name, "runtime.") && !strings.HasPrefix(name, "internal/") && !strings.HasPrefix(name, "sync.") && !strings.HasPrefix(name, "net.") {
			return name
		}
	}
	return name
}
