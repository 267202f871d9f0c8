package conformance

import "slices"

// A defect is a way in which a driver goes wrong. by is the beginning of the names of the
// cases of which one must notice.
type defect struct {
	name   string
	by     string
	inject func(b *broken)
}

// defects are the ways in which drivers go wrong.
var defects = slices.Concat(recordDefects, lateDefects, expiryDefects, swapDefects, wholeDefects, invokeDefects, lockDefects, watchDefects)
