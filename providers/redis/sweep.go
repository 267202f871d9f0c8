package redis

import (
	"maps"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/rueidis"
)

// sweepPause is between two steps of removing, and before the first, for more caches to be cleared.
const sweepPause = 10 * time.Millisecond

// A sweeper removes the records of earlier generations, in the background. What it does not get
// done is done after the next Clear of the cache.
type sweeper struct {
	mu       sync.Mutex
	due      map[string]int64 // the generations of the caches that were cleared, by prefix:name
	sweeping bool
}

// sweep removes what a cache has of generations before the given one.
func (p *Provider) sweep(base string, number int64) {
	s := &p.sweeper
	s.mu.Lock()
	defer s.mu.Unlock()
	if p.life.Err() != nil {
		return
	}
	if s.due == nil {
		s.due = make(map[string]int64)
	}
	s.due[base] = max(s.due[base], number)
	if s.sweeping {
		return
	}
	s.sweeping = true
	p.tasks.Go(func() {
		for wait(p.life, sweepPause) {
			due := s.take()
			if due == nil {
				return
			}
			p.removeBefore(due)
		}
	})
}

// take returns what is due, or nil if nothing is, and then the sweeper ends.
func (s *sweeper) take() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.due) == 0 {
		s.sweeping = false
		return nil
	}
	due := maps.Clone(s.due)
	clear(s.due)
	return due
}

// removeBefore looks through the keys once, and removes the records of generations before those.
func (p *Provider) removeBefore(numbers map[string]int64) {
	for names, err := range p.names(p.life, p.opts.Prefix+":*") {
		if err != nil {
			return
		}
		var removals []request
		for _, name := range names {
			if base, number, ok := p.generationOf(name); ok && number < numbers[base] {
				removals = append(removals, func(b rueidis.Builder) rueidis.Completed { return b.Unlink().Key(name).Build() })
			}
		}
		if len(removals) == 0 {
			continue
		}
		_, _ = p.callAll(p.life, true, removals) // what fails is removed after the next Clear
		if !wait(p.life, sweepPause) {
			return
		}
	}
}

// generationOf returns the cache and the generation of a record's name: prefix:cache:key or
// prefix:cache@number:key.
func (p *Provider) generationOf(name string) (base string, number int64, ok bool) {
	begin := len(p.opts.Prefix) + 1
	end := strings.IndexAny(name[begin:], ":@")
	if end < 0 {
		return "", 0, false
	}
	base, rest := name[:begin+end], name[begin+end:]
	if rest[0] == ':' {
		return base, 0, true
	}
	digits, _, ok := strings.Cut(rest[1:], ":")
	number, err := strconv.ParseInt(digits, 10, 64)
	return base, number, ok && err == nil
}
