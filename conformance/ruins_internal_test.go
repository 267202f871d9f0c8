package conformance

import "slices"

// A ruin is a way in which a driver goes wrong. by is the beginning of the names of the
// cases of which one must notice.
type ruin struct {
	name string
	by   string
	ruin func(b *broken)
}

// ruins are the ways in which drivers go wrong.
var ruins = slices.Concat(recordRuins, lateRuins, expiryRuins, swapRuins, wholeRuins, invokeRuins, lockRuins, watchRuins)
