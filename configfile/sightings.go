package configfile

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// A roster is what all processes have left under one key.
type roster struct {
	Processes map[string]process
	// Says has what processes say, by its hash, since most say the same.
	Says map[string]map[string]string
}

// A process is what one of them has left.
type process struct {
	Written int64  // by its clock, in microseconds since 1970
	Writes  uint64 // how often it has written
	Says    string // the key of Roster.Says
}

// enter puts a process in, and takes those that are gone out.
func (r *roster) enter(name string, p process, says map[string]string, gone []string) {
	if r.Processes == nil {
		r.Processes, r.Says = make(map[string]process), make(map[string]map[string]string)
	}
	for _, one := range gone {
		r.remove(one)
	}
	r.Processes[name], r.Says[p.Says] = p, says
}

func (r *roster) remove(name string) {
	delete(r.Processes, name)
	maps.DeleteFunc(r.Says, func(hash string, _ map[string]string) bool {
		for _, p := range r.Processes {
			if p.Says == hash {
				return false
			}
		}
		return true
	})
}

// Sightings are what a process has seen of the others.
type sightings struct {
	self   string
	others map[string]*sighting
	last   time.Time // when the last look at all keys began; zero: there was none
}

// A sighting is what is known of one other process.
type sighting struct {
	process
	texts   map[string]string
	changed time.Time // when its last write was seen first
	alive   bool
	// least and most are between what its clock is ahead of this one's. Of a write it is
	// known that it was made between the look that saw it first and the one before.
	least, most time.Duration
}

const (
	// clocksMayDiffer is how much clocks may be apart before it is said, and clocksLose
	// before it counts as a loss.
	clocksMayDiffer = 2 * time.Second
	clocksLose      = 10 * time.Second
	serverClock     = 2 * time.Second // how exact a server tells its time
	unknown         = 1 << 62
	// silent is after what time without a write a process counts as gone.
	silent = 3 * fleetWrites
)

func newSightings(self string) *sightings {
	return &sightings{self: self, others: make(map[string]*sighting)}
}

// take takes in what a look has found, between two times. It is complete if no key is missing for
// want of an answer.
func (s *sightings) take(began, ended time.Time, found map[string]roster, complete bool) {
	there := make(map[string]bool)
	for _, r := range found {
		for name, p := range r.Processes {
			there[name] = true
			if o := s.others[name]; name != s.self && (o == nil || o.Writes < p.Writes) {
				s.see(ended, name, p, r.Says[p.Says])
			}
		}
	}
	if complete {
		s.last = began
		maps.DeleteFunc(s.others, func(name string, _ *sighting) bool { return !there[name] }) // they have left
	}
}

func (s *sightings) see(now time.Time, name string, p process, texts map[string]string) {
	written := time.UnixMicro(p.Written)
	least, most := written.Sub(now), time.Duration(unknown)
	o := s.others[name]
	if o == nil { // its write may be old, and it may have ended since
		o = &sighting{least: -unknown, most: unknown, alive: now.Sub(written).Abs() < 2*fleetWrites}
		s.others[name] = o
	} else {
		o.alive, most = true, written.Sub(s.last)
	}
	o.process, o.texts, o.changed = p, texts, now
	o.least, o.most = max(o.least, least), min(o.most, most)
	if o.least > o.most { // a clock was set, or a write took long
		o.least, o.most = least, most
	}
}

// gone returns the processes that have not written for long.
func (s *sightings) gone(now time.Time) (names []string) {
	for name, o := range s.others {
		if now.Sub(o.changed) > silent {
			names = append(names, name)
		}
	}
	return names
}

// differences returns in what the processes that live differ from this one.
func (s *sightings) differences(now time.Time, says statement) (all []jcache.Difference) {
	for _, name := range slices.Sorted(maps.Keys(s.others)) {
		o := s.others[name]
		if !o.alive || now.Sub(o.changed) > silent {
			continue
		}
		for _, what := range slices.Sorted(maps.Keys(says)) {
			mine := says[what]
			if there, ok := o.texts[what]; ok && there != mine.text {
				all = append(all, jcache.Difference{Process: name, What: what, There: there, Here: mine.text, Effect: mine.effect})
			}
		}
		ahead := max(0, o.least) // at least
		if o.most < 0 {
			ahead = o.most
		}
		if ahead.Abs() > clocksMayDiffer {
			d := clockOf(name, ahead)
			if ahead.Abs() > clocksLose {
				d.Effect = "sessions and entries that the other has written end that much too late here, or too early"
			}
			all = append(all, d)
		}
	}
	return all
}

// clocksOf returns which servers have another time than this process.
func clocksOf(servers []jcache.Server) (all []jcache.Difference) {
	for _, s := range servers {
		if s.Ahead.Abs() > clocksMayDiffer+serverClock {
			all = append(all, clockOf("the server "+s.Name, s.Ahead))
		}
	}
	return all
}

func clockOf(who string, ahead time.Duration) jcache.Difference {
	how := "ahead"
	if ahead < 0 {
		how = "behind"
	}
	return jcache.Difference{Process: who, What: "clock", There: fmt.Sprintf("%v or more %s", ahead.Abs().Round(time.Second), how)}
}
