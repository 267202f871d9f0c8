package engine

import (
	"context"
	"hash/maphash"
)

// stripes serialise the read–decide–swap loops of this process, so that
// goroutines of one server do not fight each other over a key with round trips.
// Other processes are met by the swap itself.
type stripes struct {
	seed  maphash.Seed
	locks [256]chan struct{} // holds one element while locked
}

func newStripes() *stripes {
	s := &stripes{seed: maphash.MakeSeed()}
	for i := range s.locks {
		s.locks[i] = make(chan struct{}, 1)
	}
	return s
}

// lock takes the key's stripe. waited says that somebody else held it, so that
// what the caller has read before may be out of date.
func (s *stripes) lock(ctx context.Context, key string) (stripe chan struct{}, waited bool, err error) {
	stripe = s.locks[maphash.String(s.seed, key)%uint64(len(s.locks))]
	select {
	case stripe <- struct{}{}:
		return stripe, false, nil
	default:
	}
	select {
	case stripe <- struct{}{}:
		return stripe, true, nil
	case <-ctx.Done():
		return nil, true, ctx.Err()
	}
}
