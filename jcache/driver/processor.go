package driver

import (
	"sync"
	"time"
)

// A Processor is a function that is executed in the process that serves a key. It gets
// the record that is there, or found == false, and decides what becomes of it; what it
// decides is stored and replicated, not the function, so it need not give the same
// answer twice. Nothing else happens to the key meanwhile, and perhaps to others
// neither, so it must be quick and must not call a cache. It must not change or keep
// its arguments, and must not panic.
type Processor func(present Item, found bool, args []byte) Decision

// A Decision is what becomes of a key.
type Decision struct {
	// Change is what happens. Zero: nothing.
	Change Change
	// Record is what ChangeStore stores. Like every record it begins with a new
	// identifier and is no longer than Info.MaxRecordBytes.
	Record []byte
	// Deadline is that of the record, for ChangeStore and ChangeRetime. Zero: it
	// does not expire.
	Deadline time.Time
	// Output goes to the caller of Invoke.
	Output []byte
}

// Change is what a Processor does to its key.
type Change uint8

// The changes.
const (
	// ChangeNothing leaves everything as it is.
	ChangeNothing Change = iota
	// ChangeStore stores Record whatever was there.
	ChangeStore
	// ChangeRemove removes the key.
	ChangeRemove
	// ChangeRetime moves the deadline of the record that is there and keeps its
	// token. Only a cache with Toucher is asked for it.
	ChangeRetime
)

var processors struct {
	sync.RWMutex
	byName map[string]Processor
}

// RegisterProcessor makes a processor known to every provider in the program. It is
// called when packages are initialised; a name that is registered twice is a mistake in
// the program and panics.
func RegisterProcessor(name string, p Processor) {
	processors.Lock()
	defer processors.Unlock()
	if name == "" || p == nil {
		panic("driver: a processor needs a name and a function")
	}
	if _, ok := processors.byName[name]; ok {
		panic("driver: processor " + name + " is registered twice")
	}
	if processors.byName == nil {
		processors.byName = make(map[string]Processor)
	}
	processors.byName[name] = p
}

// ProcessorNamed returns the processor of that name, or nil if the program has none.
func ProcessorNamed(name string) Processor {
	processors.RLock()
	defer processors.RUnlock()
	return processors.byName[name]
}
