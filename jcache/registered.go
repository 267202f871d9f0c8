package jcache

import (
	"context"
	"errors"
	"fmt"
	"reflect"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

// A RegisteredProcessor is a processor with a name. Where the provider can, it is
// executed in the process that keeps the entry, so that a call costs one round trip
// whatever the size of the value, and however many others change the same entry. Its
// arguments A and result T travel as AppendValue encodes them. RegisterProcessor
// makes one.
type RegisteredProcessor[K comparable, V, A, T any] struct {
	name   string
	keys   codec.Keys[K]
	codec  Codec[V]
	policy ExpiryPolicy[K, V] // or nil
	run    func(entry *MutableEntry[K, V], args A) (T, error)
}

// RegisterProcessor makes a function known by its name. It belongs into a variable of a
// package that every process of the fleet links, such as
//
//	var Add = jcache.RegisterProcessor("shop.add", jcache.Options[string, int]{},
//		func(e *jcache.MutableEntry[string, int], by int) (int, error) { … })
//
// A name that is registered twice is a mistake in the program and panics. A function
// that changes its meaning or its types needs a new name as long as processes of both
// versions are running.
//
// The Codec of opts must be that of the caches that the function is used on. Their
// expiry policy comes along with each call if it is one of this package's; one of the
// program's own cannot, so that Expiry of opts stands for it. Where the codec differs,
// or such a policy is not given, the function is executed in the calling process.
//
// The function has the entry for itself, and others may have to wait for it, so it must
// be quick and must not call a cache. It may be executed more than once although it
// takes effect once. If it returns an error or panics, the entry stays as it was.
func RegisterProcessor[K comparable, V, A, T any](name string, opts Options[K, V], run func(entry *MutableEntry[K, V], args A) (T, error)) *RegisteredProcessor[K, V, A, T] {
	keys, err := codec.NewKeys[K]()
	if err != nil {
		panic("jcache: processor " + name + ": " + err.Error())
	}
	p := &RegisteredProcessor[K, V, A, T]{name: name, keys: keys, codec: opts.Codec, policy: opts.ExpiryPolicy, run: run}
	if p.codec == nil {
		p.codec = Tagged[V]()
	}
	if run == nil {
		panic("jcache: processor " + name + " has no function")
	}
	driver.RegisterProcessor(name, p.serve)
	return p
}

// Invoke executes the processor on the entry of key, atomically, and returns its
// result. If the provider cannot execute it where the entry is, or the process there
// does not know it, it is executed in this process, as Invoke of this package does.
//
// An error of the processor matches ErrProcessor and has its text. It may come from
// another process, so it matches no error of the program's.
//
// JSR-107: Cache.invoke.
func (p *RegisteredProcessor[K, V, A, T]) Invoke(ctx context.Context, c *Cache[K, V], key K, args A) (result T, err error) {
	call, err := c.store.Enter(ctx)
	if err != nil {
		return result, c.fail("invoke", err)
	}
	defer call.Leave()
	stored, err := c.storedKey(&call, key)
	if err == nil {
		result, err = p.process(&call, c, key, stored, args)
	}
	return result, c.fail("invoke", err)
}

// InvokeAll executes the processor on the entry of each key, several at a time, and
// returns one result for each distinct key. It is atomic for each key only; the error is
// that of the whole operation, such as a closed cache.
//
// JSR-107: Cache.invokeAll.
func (p *RegisteredProcessor[K, V, A, T]) InvokeAll(ctx context.Context, c *Cache[K, V], keys []K, args A) (map[K]Result[T], error) {
	return invokeAll(ctx, c, keys, false, func(call *engine.Call, key K, stored string) (T, error) {
		return p.process(call, c, key, stored, args)
	})
}

// process executes the processor in a call that has begun.
func (p *RegisteredProcessor[K, V, A, T]) process(call *engine.Call, c *Cache[K, V], key K, stored string, args A) (result T, err error) {
	encoded, err := Tagged[A]().Append(nil, args)
	if err != nil {
		return result, err
	}
	err = driver.ErrNoProcessor
	if p.travels(c) {
		result, err = p.there(call, c, stored, encoded)
	}
	if errors.Is(err, driver.ErrNoProcessor) {
		result, err = p.here(call, c, key, stored, args)
	}
	if err != nil {
		var none T
		return none, err
	}
	return result, nil
}

// travels reports whether another process can do with the cache's entries what this one
// would.
func (p *RegisteredProcessor[K, V, A, T]) travels(c *Cache[K, V]) bool {
	return c.store.Invokes() && c.codec.ID() == p.codec.ID() && (c.fixed != nil || p.policy != nil)
}

// there executes the processor where the entry is.
func (p *RegisteredProcessor[K, V, A, T]) there(call *engine.Call, c *Cache[K, V], stored string, args []byte) (result T, err error) {
	told := processorCall{
		inRecord: *c.inRecord, writeID: engine.NewWriteID(), limit: c.store.Info().MaxRecordBytes,
		fixed: c.fixed, key: stored, args: args,
	}
	answer, err := call.Invoke(stored, p.name, told.writeID, told.append(nil))
	if errors.Is(err, ErrAnswerLost) && reflect.TypeFor[T]().Size() == 0 {
		return result, nil // there is nothing to lose
	}
	if err != nil {
		return result, err
	}
	encoded, err := parseAnswer(answer)
	if err != nil {
		return result, err
	}
	if result, err = DecodeValue[T](encoded); err != nil {
		return result, fmt.Errorf("%w: the processor's result cannot be read: %w", ErrAnswerLost, err)
	}
	return result, nil
}

// here executes the processor in this process.
func (p *RegisteredProcessor[K, V, A, T]) here(call *engine.Call, c *Cache[K, V], key K, stored string, args A) (result T, err error) {
	_, err = call.Run(stored, engine.Plan{Looks: true}, func(seen engine.Record) (ch engine.Change, err error) {
		result, _, ch, err = p.decide(&c.scheme, key, seen, args)
		return ch, err
	})
	return result, err
}

// decide runs the function on an entry. It encodes the result, too, so that one that
// cannot be encoded is the same error everywhere.
func (p *RegisteredProcessor[K, V, A, T]) decide(s *scheme[K, V], key K, seen engine.Record, args A) (result T, answer []byte, ch engine.Change, err error) {
	defer asError(&err)
	e := MutableEntry[K, V]{scheme: s, key: key, seen: seen}
	if result, err = p.run(&e, args); err != nil {
		return result, nil, engine.Change{}, processorError(err)
	}
	if answer, err = Tagged[T]().Append(beginAnswer(), result); err != nil {
		return result, nil, engine.Change{}, err
	}
	ch, err = e.change()
	return result, answer, ch, err
}

// serve is the processor as drivers know it.
func (p *RegisteredProcessor[K, V, A, T]) serve(present driver.Item, found bool, data []byte) driver.Decision {
	d, err := p.execute(present, found, data)
	if err != nil {
		return driver.Decision{Output: appendFailure(err)}
	}
	return d
}

func (p *RegisteredProcessor[K, V, A, T]) execute(present driver.Item, found bool, data []byte) (d driver.Decision, err error) {
	defer asError(&err) // the decoders may be the program's own
	call, err := parseCall(data)
	if err != nil {
		return d, err
	}
	key, err := keyOf(p.keys, call.key)
	if err != nil {
		return d, err
	}
	args, err := DecodeValue[A](call.args)
	if err != nil {
		return d, err
	}
	s := scheme[K, V]{codec: p.codec, inRecord: &call.inRecord, writeID: call.writeID}
	if call.fixed != nil {
		s.setPolicy(&fixedPolicy[K, V]{*call.fixed})
	} else {
		s.setPolicy(p.policy)
	}
	var seen engine.Record
	if found {
		if seen, err = engine.Parse(present); err != nil {
			return d, err
		}
	}
	_, answer, ch, err := p.decide(&s, key, seen, args)
	if err != nil {
		return d, err
	}
	if ch.Act == engine.Retime && *s.inRecord {
		ch.WriteID = call.writeID
		ch = ch.Moved(&seen)
	}
	if err := engine.CheckRecord(ch.Record, call.limit); err != nil {
		return d, err
	}
	d = driver.Decision{Record: ch.Record, Deadline: engine.Time(ch.Deadline), Output: answer}
	switch {
	case ch.Act == engine.Put:
		d.Change = driver.ChangeStore
	case ch.Act == engine.Remove && seen.Live:
		d.Change = driver.ChangeRemove
	case ch.Act == engine.Retime:
		d.Change = driver.ChangeRetime
	}
	return d, nil
}

// processorError marks an error of the function itself, and takes its identity away,
// which it would lose on the way from another process.
func processorError(err error) error {
	err = fmt.Errorf("%w: %w", ErrProcessor, err)
	return newAnswered(err.Error(), matches(err))
}

// asError makes a panic of the program's functions an error.
func asError(err *error) {
	if r := recover(); r != nil {
		*err = processorError(engine.Panicked(r))
	}
}
