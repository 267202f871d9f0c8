package conformance

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"runtime"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The keys and values of the cases carry marks by which they are recognised where
// they must not be: in the text of an error.
const (
	keyMark   = "kEy."
	valueMark = "vAl."

	key      = keyMark + "a"
	otherKey = keyMark + "b"
)

// An env is what a case works in: a cache name of its own and two clients.
type env struct {
	*recorder
	ctx      context.Context
	suite    *suite
	conns    [2]driver.Provider // what the cases call is audited
	audit    *auditor
	disabled []driver.Feature
	name     string // of the case's cache
	random   *rand.Rand
}

func newEnv(s *suite, t *recorder, c testCase) *env {
	e := &env{
		recorder: t,
		ctx:      t.ctx,
		suite:    s,
		audit:    newAuditor(t),
		disabled: c.disabled,
		name:     fmt.Sprintf("%s-%08x", s.prefix, rand.Uint32()),
		random:   rand.New(rand.NewPCG(s.seed, 0)),
	}
	for i, conn := range s.conns {
		e.conns[i] = auditedProvider{conn, e.audit}
	}
	t.Cleanup(e.audit.unchanged)
	t.Cleanup(e.destroy)
	return e
}

// destroy empties the caches that the case opened, all at once: a Clear may take a
// second. It is no rule that this works; those about Clear and Scan have cases.
func (e *env) destroy() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(e.ctx), 10*time.Second)
	defer cancel()
	var wg sync.WaitGroup
	for name := range e.audit.opened() {
		wg.Go(func() {
			e.do(func() {
				c, err := e.suite.conns[0].OpenCache(ctx, name, driver.CacheOptions{})
				if err == nil {
					err = errors.Join(empty(ctx, c), c.Close())
				}
				if err != nil {
					e.Logf("the case's cache was not emptied: %v", err)
				}
			})
		})
	}
	wg.Wait()
}

func empty(ctx context.Context, c driver.Cache) error {
	f := driver.FeaturesOf(c)
	if f.Clearer != nil {
		return f.Clearer.Clear(ctx)
	}
	if f.Scanner == nil {
		return nil
	}
	for item, err := range f.Scanner.Scan(ctx) {
		if err == nil {
			err = c.Delete(ctx, item.Key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// parallel calls do(0) to do(n-1) at the same time and waits. If one of them failed,
// the case ends.
func (e *env) parallel(n int, do func(i int)) {
	var wg, ready sync.WaitGroup
	ready.Add(n)
	for i := range n {
		wg.Go(func() {
			e.do(func() {
				ready.Done()
				ready.Wait()
				do(i)
			})
		})
	}
	wg.Wait()
	if e.broken() {
		runtime.Goexit()
	}
}

// wait waits until the time has come.
func (e *env) wait(until time.Time) {
	t := time.NewTimer(time.Until(until))
	defer t.Stop()
	select {
	case <-t.C:
	case <-e.ctx.Done():
		e.Fatalf("the case takes too long")
	}
}

// eventually polls until cond holds; it fails the case if that takes longer than
// limit.
func (e *env) eventually(limit time.Duration, what string, cond func() bool) {
	for end := time.Now().Add(limit); !cond(); {
		if time.Now().After(end) {
			e.Fatalf("%s: not within %v", what, limit)
		}
		e.wait(time.Now().Add(5 * time.Millisecond))
	}
}

// equal compares what was seen with what the contract says.
func (e *env) equal(what string, got, want any) {
	if !reflect.DeepEqual(got, want) {
		e.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// ok ends the case if an operation failed that must not.
func (e *env) ok(err error) {
	if err != nil {
		e.Fatalf("%v", err)
	}
}

// is fails the case if the error does not match.
func (e *env) is(what string, err, target error) {
	if !errors.Is(err, target) {
		e.Errorf("%s: got error %v, want %v", what, err, target)
	}
}

// yes returns the answer of an operation that must not fail.
func (e *env) yes(answer bool, err error) bool {
	e.ok(err)
	return answer
}

const absent = "absent"

// value returns the value that an operation found, or absent.
func (e *env) value(value string, found bool, err error) string {
	e.ok(err)
	return orAbsent(value, found)
}

func orAbsent(value string, found bool) string {
	if !found {
		return absent
	}
	return value
}

// manager returns a manager on the connection of client 0 or 1.
func (e *env) manager(client int) *jcache.CacheManager {
	m, err := jcache.NewManager(e.conns[client], jcache.ManagerOptions{Provider: e.suite.harness.Name, Disable: e.disabled})
	e.ok(err)
	e.Cleanup(func() {
		if err := m.Close(context.WithoutCancel(e.ctx)); err != nil {
			e.Errorf("close the manager: %v", err)
		}
	})
	return m
}

func createCache[K comparable, V any](e *env, m *jcache.CacheManager, name string, opts jcache.Options[K, V]) *jcache.Cache[K, V] {
	c, err := jcache.CreateCache(e.ctx, m, name, opts)
	e.ok(err)
	return c
}

// newCache returns the case's cache.
func newCache[K comparable, V any](e *env, opts jcache.Options[K, V]) *jcache.Cache[K, V] {
	return createCache(e, e.manager(0), e.name, opts)
}

// newCaches returns the case's cache as two clients see it.
func newCaches[K comparable, V any](e *env, opts jcache.Options[K, V]) (a, b *jcache.Cache[K, V]) {
	return newCache(e, opts), createCache(e, e.manager(1), e.name, opts)
}
