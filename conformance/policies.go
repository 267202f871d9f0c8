package conformance

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// Answers of policies are recognised by their durations.
const (
	lifeFromCreate = 2 * time.Hour
	lifeFromAccess = 3 * time.Hour
	lifeFromUpdate = 4 * time.Hour
	lifeAtFirst    = 5 * time.Hour // of the entries that cases start from
	lifeOfPolicy   = 6 * time.Hour // of the policies of package jcache
)

// answers are what a policy says.
type answers struct{ create, access, update jcache.Expiry }

func (a answers) String() string {
	word := func(x jcache.Expiry) string {
		switch x {
		case jcache.KeepExpiry():
			return "keep"
		case jcache.ExpireNever():
			return "never"
		case jcache.ExpireNow():
			return "now"
		}
		return lifeOf(x).String()
	}
	return fmt.Sprintf("create %s, access %s, update %s", word(a.create), word(a.access), word(a.update))
}

// A policy is an expiry policy and what it answers.
type policy struct {
	name    string
	policy  jcache.ExpiryPolicy[string, string]
	answers answers
	counts  *counts // of a counting policy, else nil
}

type counts struct{ create, access, update atomic.Int64 }

func (c *counts) String() string {
	return fmt.Sprintf("%d created, %d accessed, %d updated", c.create.Load(), c.access.Load(), c.update.Load())
}

type countingPolicy struct {
	answers
	*counts
}

func (p countingPolicy) OnCreate(string, string) jcache.Expiry {
	p.counts.create.Add(1)
	return p.answers.create
}

func (p countingPolicy) OnAccess(string, string) jcache.Expiry {
	p.counts.access.Add(1)
	return p.answers.access
}

func (p countingPolicy) OnUpdate(string, string) jcache.Expiry {
	p.counts.update.Add(1)
	return p.answers.update
}

func counted(name string, a answers) policy {
	n := new(counts)
	return policy{name, countingPolicy{a, n}, a, n}
}

// question is what an operation asks the policy.
type question uint8

const (
	asksNothing question = iota
	asksCreate
	asksAccess
	asksUpdate
)

// policiesFor returns a counting policy with each answer to the question, and with
// answers to the others that would show; and then the policies of package jcache.
func policiesFor(q question) []policy {
	now := answers{jcache.ExpireNow(), jcache.ExpireNow(), jcache.ExpireNow()}
	if q == asksNothing {
		return append(builtIn(), counted("now to everything", now))
	}
	var list []policy
	for name, answer := range map[string]func(time.Duration) jcache.Expiry{
		"keep":  func(time.Duration) jcache.Expiry { return jcache.KeepExpiry() },
		"never": func(time.Duration) jcache.Expiry { return jcache.ExpireNever() },
		"now":   func(time.Duration) jcache.Expiry { return jcache.ExpireNow() },
		"after": jcache.ExpireAfter,
	} {
		a := now
		switch q {
		case asksCreate:
			a.create = answer(lifeFromCreate)
		case asksAccess:
			a.access = answer(lifeFromAccess)
		case asksUpdate:
			a.update = answer(lifeFromUpdate)
		}
		list = append(list, counted(name, a))
	}
	return append(list, builtIn()...)
}

// builtIn returns the policies of package jcache.
func builtIn() []policy {
	keep, never, now, after := jcache.KeepExpiry(), jcache.ExpireNever(), jcache.ExpireNow(), jcache.ExpireAfter(lifeOfPolicy)
	return []policy{
		{"eternal", jcache.Eternal[string, string](), answers{never, keep, never}, nil},
		{"created", jcache.Created[string, string](lifeOfPolicy), answers{after, keep, keep}, nil},
		{"accessed", jcache.Accessed[string, string](lifeOfPolicy), answers{after, after, keep}, nil},
		{"modified", jcache.Modified[string, string](lifeOfPolicy), answers{after, keep, after}, nil},
		{"touched", jcache.Touched[string, string](lifeOfPolicy), answers{after, after, after}, nil},
		{"created, zero", jcache.Created[string, string](0), answers{now, keep, keep}, nil},
		{"accessed, zero", jcache.Accessed[string, string](0), answers{now, now, keep}, nil},
		{"modified, zero", jcache.Modified[string, string](0), answers{now, keep, now}, nil},
		{"touched, zero", jcache.Touched[string, string](0), answers{now, now, now}, nil},
	}
}

// lifeOf returns how long an entry lives by an answer that is neither KeepExpiry nor ExpireNow;
// zero is for ever.
func lifeOf(x jcache.Expiry) time.Duration {
	for _, d := range []time.Duration{lifeFromCreate, lifeFromAccess, lifeFromUpdate, lifeAtFirst, lifeOfPolicy, lifeOfOwn} {
		if x == jcache.ExpireAfter(d) {
			return d
		}
	}
	return 0
}
