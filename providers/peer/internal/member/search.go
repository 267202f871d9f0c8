package member

import (
	"context"
	"errors"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
)

const (
	// maxSeen bounds the addresses that are tried again because somebody was there:
	// where addresses come and go with processes, the seeds find the others.
	maxSeen = 256
	// searchers is how many addresses are tried at once.
	searchers = 8
	// The pause between two searches doubles from searchSoon to searchAlone while nobody was
	// found, and is searchEvery when somebody was.
	searchSoon  = 100 * time.Millisecond
	searchAlone = time.Second
	searchEvery = 5 * time.Second
)

// search tries the seeds and all addresses where somebody ever was, for ever: the
// gossip forgets who was gone for long, so that the halves of a cluster that was cut
// would not find each other.
func (a *Agent) search(ctx context.Context) {
	for soon := searchSoon; ; soon = min(2*soon, searchAlone) {
		a.try(ctx)
		pause := searchEvery
		if len(a.Alive()) == 0 {
			pause = soon
		}
		timer := time.NewTimer(pause*4/5 + rand.N(pause*2/5))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return
		}
	}
}

// try tries all addresses once.
func (a *Agent) try(ctx context.Context) {
	targets := a.targets(ctx)
	a.tryAll(ctx, targets)
	if ctx.Err() != nil {
		return
	}
	result := int32(refused)
	if a.unresolved() {
		result = unreached
	}
	for _, addr := range targets {
		switch err := a.net.attempt(addr).err; {
		case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, wire.ErrSelf):
		case errors.Is(err, wire.ErrNoAnswer):
			result = min(result, unanswered)
		default:
			result = min(result, unreached)
		}
	}
	a.result.Store(result)
}

func (a *Agent) tryAll(ctx context.Context, targets []string) {
	var work sync.WaitGroup
	defer work.Wait()
	places := make(chan struct{}, searchers)
	for _, addr := range targets {
		select {
		case places <- struct{}{}:
		case <-ctx.Done():
			return
		}
		work.Go(func() {
			defer func() { <-places }()
			a.join(addr)
		})
	}
}

// targets returns the addresses where somebody may be who is not known.
func (a *Agent) targets(ctx context.Context) []string {
	a.mu.Lock()
	alive := maps.Clone(a.alive)
	candidates := slices.Concat(a.opts.Seeds, a.seen)
	a.mu.Unlock()
	known := make(map[string]bool)
	for _, m := range alive {
		known[m.Addr] = true
	}
	var targets []string
	met := make(map[string]bool)
	for _, candidate := range candidates {
		if known[candidate] || met[candidate] {
			continue
		}
		met[candidate] = true
		for _, addr := range a.resolve(ctx, candidate) {
			last := a.net.attempt(addr)
			_, here := alive[last.id]
			met[addr] = true
			if !known[addr] && !here && !errors.Is(last.err, wire.ErrSelf) && !slices.Contains(targets, addr) {
				targets = append(targets, addr)
			}
		}
	}
	a.net.keep(met)
	a.mu.Lock()
	defer a.mu.Unlock()
	maps.DeleteFunc(a.said, func(addr, _ string) bool { return !met[addr] })
	return targets
}

// resolve returns all addresses of a host.
func (a *Agent) resolve(ctx context.Context, target string) []string {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		a.trouble(target, err)
		return nil
	}
	if net.ParseIP(host) != nil {
		return []string{target}
	}
	hosts, err := a.opts.Resolve(ctx, host)
	a.trouble(target, err)
	for i, h := range hosts {
		hosts[i] = net.JoinHostPort(h, port)
	}
	a.net.resolve(target, hosts, err)
	return hosts
}

func lookUp(ctx context.Context, host string) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, streamWait)
	defer cancel()
	return net.DefaultResolver.LookupHost(ctx, host)
}

// join exchanges what is known with whoever is at an address.
func (a *Agent) join(addr string) {
	_, gossip := a.list.Join([]string{addr})
	switch err := a.net.attempt(addr).err; {
	case errors.Is(err, wire.ErrSelf):
	case err != nil:
		a.trouble(addr, err)
	default:
		a.trouble(addr, gossip)
	}
}

// trouble tells of an address that cannot be used, once until the reason changes.
func (a *Agent) trouble(addr string, err error) {
	stranger := errors.Is(err, wire.ErrMismatch) || errors.Is(err, wire.ErrUntrusted)
	var why string
	switch {
	case stranger:
		why = err.Error()
	case err != nil:
		why = "unreachable" // the errors of networks differ each time
	}
	a.mu.Lock()
	news := a.said[addr] != why
	a.said[addr] = why
	a.mu.Unlock()
	switch {
	case err == nil || !news:
	case stranger:
		a.opts.Logger.Warn("a process does not belong to this cluster", "addr", addr, "err", err)
		a.tell(Event{Kind: Rejected, Addr: addr, Err: err})
	default:
		a.opts.Logger.Debug("nobody is reached at an address", "addr", addr, "err", err)
	}
}
