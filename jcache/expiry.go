package jcache

import (
	"fmt"
	"time"
)

// An Expiry is a policy's answer: when an entry shall expire. The zero value is
// KeepExpiry.
type Expiry struct {
	kind expiryKind
	d    time.Duration
}

type expiryKind uint8

const (
	expiryKeep expiryKind = iota
	expiryNever
	expiryNow
	expiryAfter
)

// KeepExpiry leaves the entry's deadline as it is. For a new entry that is ExpireNever.
func KeepExpiry() Expiry { return Expiry{} }

// ExpireNever makes the entry eternal.
func ExpireNever() Expiry { return Expiry{kind: expiryNever} }

// ExpireNow makes the entry expire at once. A new entry is then not stored at all; an
// entry that is read is still returned.
func ExpireNow() Expiry { return Expiry{kind: expiryNow} }

// ExpireAfter makes the entry expire d from now, with a precision of a millisecond. A d
// that is not positive is ExpireNow.
func ExpireAfter(d time.Duration) Expiry {
	if d <= 0 {
		return ExpireNow()
	}
	return Expiry{kind: expiryAfter, d: d}
}

// An ExpiryPolicy decides when entries expire. Its methods may be called by many
// goroutines at once, more than once for an operation that meets contention,
// and must not call the cache.
//
// JSR-107: ExpiryPolicy; unlike there, a policy sees the key and the value.
type ExpiryPolicy[K comparable, V any] interface {
	// OnCreate is asked when an entry is stored under a key that has none.
	OnCreate(key K, value V) Expiry
	// OnAccess is asked when an entry is read.
	OnAccess(key K, value V) Expiry
	// OnUpdate is asked when an entry is given a new value.
	OnUpdate(key K, value V) Expiry
}

// fixedExpiry answers without looking at the entry.
type fixedExpiry struct {
	create, access, update Expiry
	longest                time.Duration // of create, access and update; 0: for ever
}

type fixedPolicy[K comparable, V any] struct{ fixedExpiry }

func (p *fixedPolicy[K, V]) OnCreate(K, V) Expiry { return p.create }
func (p *fixedPolicy[K, V]) OnAccess(K, V) Expiry { return p.access }
func (p *fixedPolicy[K, V]) OnUpdate(K, V) Expiry { return p.update }
func (p *fixedPolicy[K, V]) fixed() *fixedExpiry  { return &p.fixedExpiry }

// Eternal entries do not expire. It is the default. Any write makes an entry
// eternal, also one that another policy gave a deadline.
//
// JSR-107: EternalExpiryPolicy; there an update keeps the deadline, of which a cache
// with one policy has none.
func Eternal[K comparable, V any]() ExpiryPolicy[K, V] {
	return &fixedPolicy[K, V]{fixedExpiry{create: ExpireNever(), update: ExpireNever()}}
}

// Created entries expire d after they were created.
//
// JSR-107: CreatedExpiryPolicy.
func Created[K comparable, V any](d time.Duration) ExpiryPolicy[K, V] {
	return &fixedPolicy[K, V]{fixedExpiry{create: ExpireAfter(d), longest: d}}
}

// Accessed entries expire d after they were created or last read.
//
// JSR-107: AccessedExpiryPolicy.
func Accessed[K comparable, V any](d time.Duration) ExpiryPolicy[K, V] {
	return &fixedPolicy[K, V]{fixedExpiry{create: ExpireAfter(d), access: ExpireAfter(d), longest: d}}
}

// Modified entries expire d after they were created or last updated.
//
// JSR-107: ModifiedExpiryPolicy.
func Modified[K comparable, V any](d time.Duration) ExpiryPolicy[K, V] {
	return &fixedPolicy[K, V]{fixedExpiry{create: ExpireAfter(d), update: ExpireAfter(d), longest: d}}
}

// Touched entries expire d after they were created, last updated or last read.
//
// JSR-107: TouchedExpiryPolicy.
func Touched[K comparable, V any](d time.Duration) ExpiryPolicy[K, V] {
	return &fixedPolicy[K, V]{fixedExpiry{create: ExpireAfter(d), access: ExpireAfter(d), update: ExpireAfter(d), longest: d}}
}

// ExpiryPolicyNames returns the names that NewExpiryPolicy knows.
func ExpiryPolicyNames() []string {
	return []string{"eternal", "created", "accessed", "modified", "touched"}
}

// NewExpiryPolicy returns the policy of that name. All but eternal, which an
// empty name stands for, take a positive duration.
func NewExpiryPolicy[K comparable, V any](name string, d time.Duration) (ExpiryPolicy[K, V], error) {
	if name == "" || name == "eternal" {
		if d != 0 {
			return nil, fmt.Errorf("%w: expiry policy eternal takes no duration", ErrInvalid)
		}
		return Eternal[K, V](), nil
	}
	if d <= 0 {
		return nil, fmt.Errorf("%w: expiry policy %s needs a positive duration", ErrInvalid, name)
	}
	switch name {
	case "created":
		return Created[K, V](d), nil
	case "accessed":
		return Accessed[K, V](d), nil
	case "modified":
		return Modified[K, V](d), nil
	case "touched":
		return Touched[K, V](d), nil
	}
	return nil, fmt.Errorf("%w: no expiry policy %q; there are %v", ErrInvalid, name, ExpiryPolicyNames())
}
