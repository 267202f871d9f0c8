package engine

import (
	"context"
	"fmt"
)

// A Decide says, with the record in hand, what becomes of a key. It is pure: it may run
// several times, and only its last decision takes effect. The nil Decide removes whatever is
// there, without being asked.
type Decide func(seen Record) (Change, error)

// on sets ch to what is decided on a record.
func (d Decide) on(seen *Record, ch *Change) (err error) {
	if d == nil {
		ch.Act = Remove
		return nil
	}
	*ch, err = d(*seen)
	return err
}

// A Plan says what a change needs, so that it gets the fewest round trips that the
// driver and the configuration allow.
type Plan struct {
	// Blind: the decision is the same whatever is there. It is then asked about the
	// zero Record.
	Blind bool
	// Answers: the caller needs to know what was there.
	Answers bool
	// Looks: in the statistics the operation is a hit or a miss.
	Looks bool
	// Start, if it is not nil, stands for the first look.
	Start *Record
	// Old, if it is not nil, becomes the record that the decision saw.
	Old *Record
}

// Run is the way in for everything that changes one key. Only the decision that takes place
// has an effect.
func (c *Call) Run(key string, plan Plan, decide Decide) (kind Kind, err error) {
	s := c.store
	timer := &s.counters.puts
	if decide == nil {
		timer = &s.counters.removals
	}
	count := s.counters.count(timer)
	if plan.Blind && !plan.Answers && s.hooks == nil {
		if kind, err = s.runBlind(c.ctx, key, decide); err == nil {
			count.did(kind)
		}
		return kind, c.told(err)
	}
	var seen Record
	var ch Change
	if plan.Blind && s.features.Exchanger != nil {
		err = s.runExchange(c.ctx, key, decide, &seen, &ch)
	} else {
		err = c.runSwap(key, plan.Start, decide, &seen, &ch)
	}
	if err != nil {
		return None, c.told(err)
	}
	if plan.Old != nil {
		*plan.Old = seen
	}
	if s.hooks != nil {
		err = c.tell(key, &seen, &ch)
	}
	if plan.Looks {
		count.looked(seen.Live)
	}
	kind = ch.kind(seen.Live)
	count.did(kind)
	return kind, err
}

// tell lets the effect of a decision out.
func (c *Call) tell(key string, seen *Record, ch *Change) (err error) {
	h := c.store.hooks
	e := Effect{Kind: ch.kind(seen.Live), Hit: seen.Live, Old: *seen}
	if e.Kind == Created || e.Kind == Updated {
		e.New = ch.Record
	}
	if h.Write != nil && e.Kind != None {
		err = h.Write(c.ctx, key, e)
	}
	if h.Notify != nil && e.Kind != None && err == nil {
		err = h.Notify(c.ctx, key, e)
	}
	return c.told(err)
}

// runBlind neither looks nor answers.
func (s *Store) runBlind(ctx context.Context, key string, decide Decide) (Kind, error) {
	var ch Change
	if err := decide.on(&Record{}, &ch); err != nil {
		return None, err
	}
	if err := s.overwrite(ctx, key, &ch); err != nil || ch.Act != Put {
		return None, err
	}
	return Stored, nil
}

// runExchange does not look, and learns from the write what was there.
func (s *Store) runExchange(ctx context.Context, key string, decide Decide, seen *Record, ch *Change) error {
	if err := decide.on(seen, ch); err != nil {
		return err
	}
	return s.exchange(ctx, key, ch, seen)
}

// runSwap is the loop: it shows decide what is stored under key and swaps in what decide
// wants, until nobody else changed the key in between. In the end seen is what the last
// decision saw, and ch what it did.
func (c *Call) runSwap(key string, start *Record, decide Decide, seen *Record, ch *Change) error {
	s, ctx := c.store, c.ctx
	stripe, waited, err := s.stripes.lock(ctx, key)
	if err != nil {
		return err
	}
	defer func() { <-stripe }()

	if start != nil && !waited {
		*seen = *start
	} else if err := s.read(ctx, key, seen); err != nil { // what is decided by a copy may be wrong
		return err
	}
	for attempt := 0; ; attempt++ {
		if err := decide.on(seen, ch); err != nil {
			return err
		}
		if ch.Act == Keep || ch.Act == Remove && !seen.Live {
			return nil
		}
		var now Record
		if done, err := s.apply(ctx, key, seen, ch, false, &now); done || err != nil {
			return err
		}
		if attempt == maxAttempts {
			return fmt.Errorf("%w: %d attempts", ErrContention, attempt)
		}
		// What the swap has told is tried at once. Whoever loses that, too, waits, and looks
		// again: what was there before the pause is not there any more.
		if *seen = now; attempt%2 == 1 {
			if err := pause(ctx, attempt/2); err != nil {
				return err
			}
			if err := s.read(ctx, key, seen); err != nil {
				return err
			}
		}
	}
}

// Get is the way in for everything that reads one key. What is not there may be loaded. use
// sees a live record, and says what reading does to it. Should somebody else write the key
// in this moment, then that write has said what becomes of it.
func (c *Call) Get(key string, seen *Record, use Decide) error {
	count := c.store.counters.count(&c.store.counters.gets)
	err := c.look(key, seen)
	hit := seen.Live
	if h := c.store.hooks; h != nil && h.Load != nil && err == nil && !seen.Live {
		*seen, err = h.Load(c.ctx, key)
	}
	if err != nil {
		return c.told(err)
	}
	if err = c.use(key, seen, use); err == nil {
		count.got(hit)
	}
	return err
}

// Use is Get of a record that has just been read.
func (c *Call) Use(key string, seen *Record, use Decide) (err error) {
	count := c.store.counters.count(&c.store.counters.gets)
	if err = c.use(key, seen, use); err == nil {
		count.looked(seen.Live)
	}
	return err
}

func (c *Call) use(key string, seen *Record, use Decide) (err error) {
	var ch Change
	if seen.Live {
		if ch, err = use(*seen); err != nil {
			return c.told(err)
		}
	}
	if ch.Act != Keep {
		var now Record
		done, err := c.store.apply(c.ctx, key, seen, &ch, true, &now)
		if err != nil {
			return c.told(err)
		}
		if !done {
			ch = Change{}
		}
	}
	if c.store.hooks != nil {
		return c.tell(key, seen, &ch)
	}
	return nil
}

// Invoke executes a registered processor where the record of the key is. The error matches
// driver.ErrNoProcessor if nobody knows it there.
func (c *Call) Invoke(key, processor string, writeID uint64, args []byte) (output []byte, err error) {
	output, err = c.store.invoke(c.ctx, key, processor, writeID, args)
	return output, c.told(err)
}

// RemoveAll removes the records one by one where somebody is to be told of each and the driver can
// list them; otherwise it is Clear. The call must be unbounded: each step has a deadline of its own.
func (c *Call) RemoveAll() error {
	s := c.store
	if !s.Scans() || s.hooks == nil && !s.Counting() {
		step := c.Step()
		defer step.End()
		return step.Clear()
	}
	keys := make([]string, 0, removedAtOnce)
	for item, err := range s.Scan(c.ctx) {
		if err != nil {
			return c.told(err)
		}
		if keys = append(keys, item.Key); len(keys) == removedAtOnce {
			if err := c.removeStep(keys); err != nil {
				return err
			}
			keys = keys[:0]
		}
	}
	return c.removeStep(keys)
}

// removedAtOnce is how many records RemoveAll removes in a step.
const removedAtOnce = 256

func (c *Call) removeStep(keys []string) error {
	step := c.Step()
	defer step.End()
	for _, err := range step.RunAll(keys, Plan{Blind: true, Answers: true}, func(int, Record) (Change, error) { return Change{Act: Remove}, nil }) {
		if err != nil {
			return err
		}
	}
	return nil
}

// Clear removes every record.
func (c *Call) Clear() error { return c.told(c.store.clear(c.ctx)) }

// ClearDrained is Clear for a store that lets nobody else in any more.
func (s *Store) ClearDrained(ctx context.Context) error {
	c := s.call(ctx)
	defer c.End()
	return c.Clear()
}

// RunAll is Run for many keys, several at a time. The result is nil if all went well;
// otherwise it has one element for each key, nil for those that did.
func (c *Call) RunAll(keys []string, plan Plan, decide func(i int, seen Record) (Change, error)) []error {
	s := c.store
	if plan.Blind && !plan.Answers && s.hooks == nil && s.features.BatchPutter != nil {
		if errs, ok := c.runBatch(keys, decide); ok {
			return errs
		}
	}
	return Parallel(len(keys), func(i int) error {
		_, err := c.Run(keys[i], plan, func(seen Record) (Change, error) { return decide(i, seen) })
		return err
	})
}

// runBatch puts what is decided in one batch. ok is false if something is to be removed.
func (c *Call) runBatch(keys []string, decide func(i int, seen Record) (Change, error)) (errs []error, ok bool) {
	errs = make([]error, len(keys))
	stored := make([]int, 0, len(keys)) // indices of keys
	names := make([]string, 0, len(keys))
	changes := make([]Change, 0, len(keys))
	failed := false
	for i, key := range keys {
		var ch Change
		err := Guarded(func() (err error) {
			if ch, err = decide(i, Record{}); err == nil {
				err = CheckRecord(ch.Record, c.store.info.MaxRecordBytes)
			}
			return err
		})
		switch {
		case err != nil:
			errs[i], failed = err, true
		case ch.Act != Put:
			return nil, false
		default:
			stored, names, changes = append(stored, i), append(names, key), append(changes, ch)
		}
	}
	done := len(names)
	for i, err := range c.store.overwriteAll(c.ctx, names, changes) {
		if err != nil {
			errs[stored[i]], failed = c.told(err), true
			done--
		}
	}
	count := c.store.counters.count(&c.store.counters.puts)
	count.put(done)
	if !failed {
		errs = nil
	}
	return errs, true
}

// GetAll is Get for many keys, several at a time. The result is like that of RunAll, and an
// error if nothing could be read.
func (c *Call) GetAll(keys []string, use func(i int, seen Record) (Change, error)) ([]error, error) {
	b := c.store.features.BatchGetter
	if b == nil || len(keys) < 2 || c.store.hooks != nil {
		return Parallel(len(keys), func(i int) error {
			var seen Record
			return c.Get(keys[i], &seen, func(seen Record) (Change, error) { return use(i, seen) })
		}), nil
	}
	items, err := b.GetBatch(c.ctx, keys)
	if err != nil {
		return nil, c.told(err)
	}
	count := c.store.counters.count(&c.store.counters.gets)
	count.missed(len(keys) - len(items))
	index := make(map[string]int, len(keys))
	for i, key := range keys {
		index[key] = i
	}
	errs := make([]error, len(keys))
	failed := Parallel(len(items), func(at int) error {
		var seen Record
		i := index[items[at].Key]
		if err := c.store.parse(c.ctx, keys[i], &items[at], &seen); err != nil {
			return c.told(err)
		}
		return c.Use(keys[i], &seen, func(seen Record) (Change, error) { return use(i, seen) })
	})
	for at, err := range failed {
		errs[index[items[at].Key]] = err
	}
	if failed == nil {
		errs = nil
	}
	return errs, nil
}
