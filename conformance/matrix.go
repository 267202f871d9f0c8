package conformance

import (
	"fmt"
	"slices"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

// The matrix runs every operation on every state of an entry, under every policy,
// and compares the result, what the policy was asked, the entry's value and its
// deadline. It is the table of JSR-107's prose specification, as data.

// A behaviour is what an operation does in one state.
type behaviour struct {
	result string
	asks   question
	does   effect
	// exactly says that the policy is asked once, not at least once.
	exactly bool
	// resultOfNow is the result where the policy answers ExpireNow, if it differs.
	resultOfNow string
	// own says that the operation decides the expiry itself.
	own bool
}

type effect uint8

const (
	leaves effect = iota
	writes
	removes
	retimes // only the deadline moves
)

// A row is what an operation does without an entry, and with one.
type row struct {
	operation       string
	variant         string // if there are several rows for the operation
	old             string // the value that conditional operations compare with
	absent, present behaviour
	rule            string
}

const (
	oldValue = valueMark + "old"
	newValue = valueMark + "new"
)

// Most rows are of these kinds.
var (
	creates = behaviour{asks: asksCreate, does: writes}
	updates = behaviour{asks: asksUpdate, does: writes}
	reads   = behaviour{result: oldValue, asks: asksAccess, does: retimes}
	drops   = behaviour{does: removes}
)

func (b behaviour) returning(result string) behaviour {
	b.result = result
	return b
}

var matrix = slices.Concat([]row{
	{operation: "get", absent: behaviour{result: absent}, present: reads,
		rule: "get returns the value and counts as an access; a key that is not there is no access."},
	{operation: "getEntry", absent: behaviour{result: absent}, present: reads,
		rule: "GetEntry is Get."},
	{operation: "getAll", absent: behaviour{result: absent}, present: reads,
		rule: "getAll returns the entries of those keys that have one; each is accessed."},
	{operation: "iterate", absent: behaviour{result: absent}, present: reads,
		rule: "The iterator returns every entry once; each is accessed when it is returned."},
	{operation: "containsKey", absent: behaviour{result: "false"}, present: behaviour{result: "true"},
		rule: "containsKey is no access: it asks the policy nothing."},
	{operation: "put", absent: creates, present: updates,
		rule: "put of a new key is a creation, of a present one an update."},
	{operation: "putAll", absent: creates, present: updates,
		rule: "putAll is put for each entry."},
	{operation: "getAndPut", absent: creates.returning(absent), present: updates.returning(oldValue),
		rule: "getAndPut of a present key is an update and no access, although it returns the old value."},
	{operation: "putIfAbsent", absent: behaviour{result: "true", asks: asksCreate, does: writes, resultOfNow: "false"},
		present: behaviour{result: "false"},
		rule:    "putIfAbsent stores only where nothing is, and is no access; a refused one asks the policy nothing. What expires at once is not stored."},
	{operation: "remove", absent: behaviour{result: "false"}, present: drops.returning("true"),
		rule: "remove asks the policy nothing."},
	{operation: "removeKeys", present: drops, rule: "removeAll(keys) asks the policy nothing."},
	{operation: "removeAll", present: drops, rule: "removeAll leaves no entry."},
	{operation: "clear", present: drops, rule: "clear leaves no entry."},
	{operation: "getAndRemove", absent: behaviour{result: absent}, present: drops.returning(oldValue),
		rule: "getAndRemove asks the policy nothing, although it returns the old value."},
	{operation: "compareAndRemove", variant: "match", old: oldValue, absent: behaviour{result: "false"}, present: drops.returning("true"),
		rule: "remove(key, oldValue) of an equal value removes and asks the policy nothing."},
	{operation: "compareAndRemove", variant: "mismatch", old: newValue, absent: behaviour{result: "false"},
		present: behaviour{result: "false", asks: asksAccess, does: retimes, exactly: true},
		rule:    "remove(key, oldValue) of another value counts as an access, exactly once."},
	{operation: "replace", absent: behaviour{result: "false"}, present: updates.returning("true"),
		rule: "replace of a present key is an update and no access; of an absent one it does nothing."},
	{operation: "compareAndReplace", variant: "match", old: oldValue, absent: behaviour{result: "false"}, present: updates.returning("true"),
		rule: "replace(key, oldValue, newValue) of an equal value is an update and no access."},
	{operation: "compareAndReplace", variant: "mismatch", old: newValue, absent: behaviour{result: "false"},
		present: behaviour{result: "false", asks: asksAccess, does: retimes},
		rule:    "replace(key, oldValue, newValue) of another value counts as an access."},
	{operation: "getAndReplace", absent: behaviour{result: absent}, present: updates.returning(oldValue),
		rule: "getAndReplace of a present key is an update and no access, although it returns the old value."},
}, invokeRows("invoke"), invokeRows("invokeRegistered"), invokeRows("invokeEntry"), invokeRows("invokeAll"), invokeRows("invokeExclusive"))

// invokeRows returns the table of net effects: what a processor does to its entry
// and back again leaves no trace.
func invokeRows(how string) []row {
	const rule = "Only a processor's net effect takes place: it is asked about as one creation, update or access, or as nothing."
	rows := []row{
		{operation: "nothing", absent: behaviour{result: "done"}, present: behaviour{result: "done"}},
		{operation: "exists", absent: behaviour{result: "false"}, present: behaviour{result: "true"}},
		{operation: "value", absent: behaviour{result: absent}, present: reads},
		{operation: "set", absent: creates.returning(newValue), present: updates.returning(newValue)},
		{operation: "value+set", absent: creates.returning(absent), present: updates.returning(oldValue)},
		{operation: "remove", absent: behaviour{result: absent}, present: drops.returning(absent)},
		{operation: "set+remove", absent: behaviour{result: "false"}, present: drops.returning("false")},
		{operation: "remove+set", absent: creates.returning("true"), present: updates.returning("true")},
		{operation: "expiry", absent: behaviour{result: absent}, present: behaviour{result: oldValue, does: retimes, own: true}},
		{operation: "set+expiry", absent: behaviour{result: "done", does: writes, own: true}, present: behaviour{result: "done", does: writes, own: true}},
		{operation: "set+fail", absent: behaviour{result: "refused"}, present: behaviour{result: "refused"}},
		{operation: "remove+fail", absent: behaviour{result: "refused"}, present: behaviour{result: "refused"}},
	}
	for i := range rows {
		rows[i].operation = how + " " + rows[i].operation
		rows[i].rule = rule
	}
	return rows
}

// A state is what an operation finds.
type state struct {
	name    string
	present bool
	life    jcache.Expiry // of what is put there for it; ExpireNow: nothing is
}

var states = []state{
	{"absent", false, jcache.ExpireNow()},
	{"expired", false, jcache.ExpireAfter(expiredAfter)},
	{"eternal", true, jcache.ExpireNever()},
	{"timed", true, jcache.ExpireAfter(lifeAtFirst)},
}

const expiredAfter = 10 * time.Millisecond

// matrixCases returns one case for each operation and state.
func matrixCases() []testCase {
	var cases []testCase
	for _, r := range matrix {
		op := operationNamed(r.operation)
		for _, s := range states {
			b := r.absent
			if s.present {
				b = r.present
			}
			name := "matrix/" + r.operation
			if r.variant != "" {
				name += " " + r.variant
			}
			cases = append(cases, testCase{
				name: name + "/" + s.name, rule: r.rule, source: op.source, needs: op.needs, uses: op.uses,
				run: func(e *env) { runCell(e, op, r.old, b, s) },
			})
		}
	}
	return cases
}

// A trial is one policy in one cell of the matrix.
type trial struct {
	policy    policy
	cache     stringCache // asks nothing and moves nothing
	keys      []string
	present   bool         // what the operation finds
	deadlines [2]time.Time // of the keys' entries, as the operation finds them
}

func runCell(e *env, op operation, old string, b behaviour, found state) {
	m := e.manager(0)
	shared := createCache(e, m, e.name, jcache.Options[string, string]{ExpiryPolicy: keepAll{}})
	var trials []*trial
	for i, p := range policiesFor(b.asks) {
		t := &trial{policy: p, cache: shared, present: found.present, keys: []string{fmt.Sprint(keyMark, i, ".1"), fmt.Sprint(keyMark, i, ".2")}}
		if op.whole {
			t.cache = createCache(e, m, fmt.Sprint(e.name, "-", i), jcache.Options[string, string]{ExpiryPolicy: keepAll{}})
		}
		t.prepare(e, found.life)
		trials = append(trials, t)
	}
	if found.life == jcache.ExpireAfter(expiredAfter) {
		e.wait(time.Now().Add(2 * expiredAfter))
	}
	for _, t := range trials {
		t.run(e, op, old, b)
	}
}

// prepare stores what the operation shall find.
func (t *trial) prepare(e *env, life jcache.Expiry) {
	n := counted("", answers{life, life, life})
	for _, k := range t.keys {
		e.ok(t.cache.WithExpiryPolicy(n.policy).Put(e.ctx, k, oldValue))
	}
	for i, k := range t.keys {
		if t.present {
			entry, _, err := t.cache.GetEntry(e.ctx, k)
			e.ok(err)
			t.deadlines[i] = entry.Deadline
		}
	}
}

func (t *trial) run(e *env, op operation, old string, b behaviour) {
	before := time.Now()
	result, err := op.run(e.ctx, t.cache.WithExpiryPolicy(t.policy.policy), t.keys, newValue, old)
	after := time.Now()
	under := "under " + t.policy.name + ": "
	if err != nil {
		e.Errorf("%s%v", under, err)
		return
	}
	expiry := t.policy.answers.to(b)
	want, times := b.result, 1
	if expiry == jcache.ExpireNow() && b.asks != asksNothing && b.resultOfNow != "" {
		want = b.resultOfNow
	}
	if op.many {
		if times = len(t.keys); want != "" {
			want += "," + want
		}
	}
	e.equal(under+"the result", result, want)
	if t.policy.counts != nil {
		t.checkCounts(e, under, b, int64(times))
	}
	for i := range t.keys {
		effect := b
		if i >= times {
			effect = behaviour{}
		}
		t.checkEntry(e, under, i, effect, expiry, before, after)
	}
}

// to is the answer that decides the entry's deadline.
func (a answers) to(b behaviour) jcache.Expiry {
	switch {
	case b.own:
		return jcache.ExpireAfter(lifeOfOwn)
	case b.asks == asksCreate:
		return a.create
	case b.asks == asksAccess:
		return a.access
	case b.asks == asksUpdate:
		return a.update
	}
	return jcache.KeepExpiry()
}

func (t *trial) checkCounts(e *env, under string, b behaviour, times int64) {
	c := t.policy.counts
	for q, n := range map[question]int64{asksCreate: c.create.Load(), asksAccess: c.access.Load(), asksUpdate: c.update.Load()} {
		switch {
		case q != b.asks && n != 0, q == b.asks && n < times, q == b.asks && b.exactly && n != times:
			e.Errorf("%sthe policy was asked %v; for %d keys it is %s", under, c, times,
				[...]string{"nothing", "created at least once each", "accessed once each", "updated at least once each"}[b.asks])
			return
		}
	}
}

// checkEntry compares what is there afterwards.
func (t *trial) checkEntry(e *env, under string, i int, b behaviour, expiry jcache.Expiry, before, after time.Time) {
	want := absent
	if t.present {
		want = oldValue
	}
	switch {
	case b.does == removes, b.does != leaves && expiry == jcache.ExpireNow():
		want = absent
	case b.does == writes:
		want = newValue
	}
	entry, ok, err := t.cache.GetEntry(e.ctx, t.keys[i])
	e.ok(err)
	e.equal(under+"the value afterwards", orAbsent(entry.Value, ok), want)
	if !ok || want == absent {
		return
	}
	life := lifeOf(expiry)
	switch kept := b.does == leaves || expiry == jcache.KeepExpiry(); {
	case kept:
		e.equal(under+"the deadline, which stays as it was", entry.Deadline.Equal(t.deadlines[i]), true)
	case life == 0:
		e.equal(under+"the entry is eternal", entry.Deadline.IsZero(), true)
	case entry.Deadline.Before(before.Add(life)) || entry.Deadline.After(after.Add(life+2*time.Millisecond)):
		e.Errorf("%sthe deadline is %v from the operation, want %v", under, entry.Deadline.Sub(before), life)
	}
}
