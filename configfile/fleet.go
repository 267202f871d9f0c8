package configfile

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	mathrand "math/rand/v2"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/codec"
)

// A fleet is the processes that share a cache manager's provider. Each leaves what it is
// configured with, and the time, where the others see it: in a cache, so that this works on
// every provider. It compares with its own what the others left, and says what differs.
type fleet struct {
	manager *jcache.CacheManager
	always  statement
	self    string // this process among the others
	now     func() time.Time
	log     *slog.Logger

	cancel context.CancelFunc
	ended  sync.WaitGroup

	mu          sync.Mutex
	says        statement
	differences []jcache.Difference
}

const (
	// fleetCache is the name of the cache.
	fleetCache = "_processes"
	// fleetWrites is how often a process writes, and fleetReads how often it reads: more
	// often, since it learns about the others' clocks from when it sees a write first.
	fleetWrites = time.Minute
	fleetReads  = 10 * time.Second
	// fleetLife is for how long what was written stays, which must be longer than clocks can be apart.
	fleetLife = 24 * time.Hour
	// fleetReached is how often it is looked whether the provider has been reached.
	fleetReached = 100 * time.Millisecond
	// fleetTimeout bounds a step, and fleetEnd the last one.
	fleetTimeout = 5 * time.Second
	fleetEnd     = time.Second
	// keysOfServer is under how many keys each process writes for each server. Where programs
	// choose the server of a key, and do not know the same ones, some keys are where both look.
	keysOfServer = 8
	mostKeys     = 32
)

// join begins to compare, until leave. It says always, besides what say is given.
func join(m *jcache.CacheManager, always, says statement, now func() time.Time) *fleet {
	if now == nil {
		now = time.Now
	}
	host, err := os.Hostname()
	if err != nil {
		host = "a host without a name"
	}
	f := &fleet{manager: m, always: always, says: always.with(says), now: now, log: slog.Default(),
		self: fmt.Sprintf("%s, process %d, %s", host, os.Getpid(), rand.Text()[:6])}
	ctx, cancel := context.WithCancel(context.Background())
	f.cancel = cancel
	f.ended.Go(func() { f.run(ctx) })
	return f
}

// leave takes back what the process has left, so that nobody compares with it any more.
func (f *fleet) leave() {
	f.cancel()
	f.ended.Wait()
}

func (f *fleet) run(ctx context.Context) {
	rosters := f.open(ctx)
	if rosters == nil {
		return
	}
	seen := newSightings(f.self)
	keys := f.keys()
	var written time.Time
	for writes := uint64(0); ; {
		says := f.statement()
		f.read(ctx, rosters, keys, seen, says)
		if f.now().Sub(written) >= fleetWrites-fleetReads/2 {
			written = f.now()
			writes++
			gone := seen.gone(written)
			f.write(ctx, rosters, keys, func(r *roster) {
				r.enter(f.self, process{Written: f.now().UnixMicro(), Writes: writes, Says: says.hash()}, says.texts(), gone)
			})
		}
		if !sleep(ctx, fleetReads/2+mathrand.N(fleetReads)) {
			break
		}
	}
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), fleetEnd)
	defer cancel()
	f.write(ending, rosters, keys, func(r *roster) { r.remove(f.self) })
	_ = rosters.Close(ending) // the manager's Close goes on with it
}

// open opens the cache, as soon as that is possible. It returns nil if there is nobody to
// compare with, or the process ends.
func (f *fleet) open(ctx context.Context) *jcache.Cache[string, roster] {
	for !f.manager.Reached() { // how many keys there are, and whether they are shared, is known then
		if !sleep(ctx, fleetReached) {
			return nil
		}
	}
	for told := false; ; told = true {
		rosters, err := jcache.CreateCache(ctx, f.manager, fleetCache, jcache.Options[string, roster]{
			ExpiryPolicy: jcache.Modified[string, roster](fleetLife), Codec: codec.JSON[roster](),
		})
		switch {
		case err == nil && !rosters.Shared():
			_ = rosters.Close(ctx) // the manager's Close goes on with it
			return nil
		case err == nil:
			return rosters
		case !told && ctx.Err() == nil:
			f.log.Warn("keepsake: this process cannot be compared with the others yet", "error", err)
		}
		if !sleep(ctx, fleetWrites) {
			return nil
		}
	}
}

// keys returns the keys under which to write and to look.
func (f *fleet) keys() []string {
	n := 1
	if servers := len(f.manager.Health().Servers); servers > 0 {
		n = min(keysOfServer*servers, mostKeys)
	}
	keys := make([]string, n)
	for i := range keys {
		keys[i] = strconv.Itoa(i)
	}
	return keys
}

// read takes in what the others have left. What cannot be read now is read the next time.
func (f *fleet) read(ctx context.Context, rosters *jcache.Cache[string, roster], keys []string, seen *sightings, says statement) {
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	began := f.now()
	found, err := rosters.GetAll(ctx, keys...)
	seen.take(began, f.now(), found, err == nil)
	f.mu.Lock()
	before := f.differences
	f.differences = append(seen.differences(f.now(), says), clocksOf(f.manager.Health().Servers)...)
	if errors.Is(err, jcache.ErrUndecodable) {
		f.differences = append(f.differences, jcache.Difference{What: versionOf, Process: "another process",
			There: "one whose records cannot be read", Here: version(), Effect: "neither can read the other's sessions and entries"})
	}
	after := f.differences
	f.mu.Unlock()
	for _, d := range after {
		if !slices.ContainsFunc(before, func(b jcache.Difference) bool { return b.What == d.What && b.Process == d.Process }) {
			f.log.Warn("keepsake: processes of the fleet differ", "what", d.What, "process", d.Process, "there", d.There, "here", d.Here, "effect", d.Effect)
		}
	}
	if len(before) > 0 && len(after) == 0 {
		f.log.Info("keepsake: processes of the fleet do not differ any more")
	}
}

// write changes what is stored under each of the keys. Of a server that is down the health tells.
func (f *fleet) write(ctx context.Context, rosters *jcache.Cache[string, roster], keys []string, change func(*roster)) {
	ctx, cancel := context.WithTimeout(ctx, fleetTimeout)
	defer cancel()
	for _, key := range keys {
		_, _ = jcache.Invoke(ctx, rosters, key, func(_ context.Context, e *jcache.MutableEntry[string, roster]) (struct{}, error) {
			r, _, err := e.Value()
			if err == nil {
				change(&r)
				e.SetValue(r)
			}
			return struct{}{}, err
		})
	}
}

// say replaces what this process says of its sessions.
func (f *fleet) say(says statement) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.says = f.always.with(says)
}

func (f *fleet) statement() statement {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.says
}

// health returns in what other processes differ.
func (f *fleet) health() []jcache.Difference {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.differences
}

// sleep waits, and reports whether ctx goes on.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}
