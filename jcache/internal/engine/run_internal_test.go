package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A shelf is a driver of one key that says no to a number of swaps, as if others were
// faster.
type shelf struct {
	driver.Cache
	item   driver.Item
	refuse int
	calls  []string
}

func (*shelf) Info() driver.Info { return driver.Info{} }

func (s *shelf) Get(context.Context, string) (driver.Item, bool, error) {
	s.calls = append(s.calls, "Get")
	return s.item, s.item.Record != nil, nil
}

func (s *shelf) Put(_ context.Context, _ string, record []byte, _ time.Time) error {
	s.calls = append(s.calls, "Put")
	s.item = driver.Item{Record: record, Token: driver.Token{N: s.item.Token.N + 1}}
	return nil
}

func (s *shelf) Delete(context.Context, string) error {
	s.calls = append(s.calls, "Delete")
	s.item.Record = nil
	return nil
}

func (s *shelf) Swap(_ context.Context, _ string, old driver.Token, record []byte, _ time.Time) (bool, *driver.Item, error) {
	s.calls = append(s.calls, "Swap")
	if s.refuse--; s.refuse >= 0 {
		s.item = driver.Item{Record: appendText(0, fmt.Sprint("other ", s.refuse)), Token: driver.Token{N: s.item.Token.N + 1}}
	}
	if s.item.Token.N != old.N {
		return false, nil, nil
	}
	s.item = driver.Item{Record: record, Token: driver.Token{N: s.item.Token.N + 1}}
	return true, nil, nil
}

func appendText(deadline int64, text string) []byte {
	return append(AppendHeader(nil, NewWriteID(), 1, deadline, true), text...)
}

func write(text string) Decide {
	return func(Record) (Change, error) {
		ch := NewRecord(0, 1, 0, true)
		ch.Record = append(ch.Record, text...)
		return ch, nil
	}
}

func always(ch Change) Decide { return func(Record) (Change, error) { return ch, nil } }

// Only the decision that took place has an effect, and it leaves once.
func TestEffects(t *testing.T) {
	past, future := time.Now().Add(-time.Hour).UnixMilli(), time.Now().Add(time.Hour).UnixMilli()
	for _, test := range []struct {
		name   string
		there  []byte
		plan   Plan
		decide Decide
		kind   Kind
		hit    bool
		old    string
	}{
		{"create", nil, Plan{}, write("new"), Created, false, ""},
		{"create where one has expired", appendText(past, "old"), Plan{}, write("new"), Created, false, "old"},
		{"update", appendText(future, "old"), Plan{}, write("new"), Updated, true, "old"},
		{"blind update", appendText(0, "old"), Plan{Blind: true}, write("new"), Updated, true, "old"},
		{"update with what expires at once", appendText(0, "old"), Plan{}, always(Change{Act: Remove, Means: Updated}), Updated, true, "old"},
		{"create what expires at once", nil, Plan{}, always(Change{Act: Remove, Means: Updated}), None, false, ""},
		{"remove", appendText(0, "old"), Plan{}, always(Change{Act: Remove}), Removed, true, "old"},
		{"remove nothing", nil, Plan{}, always(Change{Act: Remove}), None, false, ""},
		{"remove what has expired", appendText(past, "old"), Plan{}, always(Change{Act: Remove}), None, false, "old"},
		{"expire", appendText(0, "old"), Plan{}, always(Change{Act: Remove, Means: Expired}), Expired, true, "old"},
		{"touch", appendText(0, "old"), Plan{}, always(Change{Act: Retime, Deadline: future}), None, true, "old"},
		{"nothing", appendText(0, "old"), Plan{}, always(Change{}), None, true, "old"},
	} {
		for _, refuse := range []int{0, 1, 5} {
			var left []Effect
			var steps []string
			hooks := &Hooks{
				Write: func(_ context.Context, _ string, e Effect) error { steps = append(steps, "write"); return nil },
				Notify: func(_ context.Context, _ string, e Effect) error {
					steps, left = append(steps, "notify"), append(left, e)
					return nil
				},
			}
			s := &shelf{item: driver.Item{Record: test.there, Token: driver.Token{N: 1}}, refuse: refuse}
			if test.there == nil {
				s.item.Token = driver.Token{}
			}
			c := call(t, s, hooks)
			c.store.Count(true)
			test.plan.Looks = true
			kind, err := c.Run("k", test.plan, test.decide)
			if n := c.store.Counts(); err == nil && refuse == 0 && (n.Hits == 1) != test.hit || n.Hits+n.Misses != 1 {
				t.Errorf("%s: %+v", test.name, n)
			}
			if kind == None && err == nil && left == nil {
				continue
			}
			if err != nil || len(left) != 1 {
				t.Errorf("%s, %d refusals: %v, and %d effects", test.name, refuse, err, len(left))
				continue
			}
			if e := left[0]; refuse == 0 && (kind != test.kind || e.Kind != test.kind || e.Hit != test.hit || string(e.Old.Value) != test.old) {
				t.Errorf("%s: %d, %+v", test.name, kind, e)
			}
			if e := left[0]; slices.Contains(s.calls, "Swap") && refuse > 0 && string(e.Old.Value) != "other 0" {
				t.Errorf("%s, %d refusals: the effect is about %q", test.name, refuse, e.Old.Value)
			}
			if !slices.Equal(steps, []string{"write", "notify"}) {
				t.Errorf("%s: steps %v", test.name, steps)
			}
		}
	}
}

func call(t *testing.T, c driver.Cache, hooks *Hooks) *Call {
	t.Helper()
	call, err := NewStore(c, driver.Features{}, hooks).Enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(call.Leave)
	return &call
}

// What a configuration does not need costs no round trip, and what it needs is not left out.
func TestWaysOfWriting(t *testing.T) {
	for name, test := range map[string]struct {
		plan  Plan
		hooks *Hooks
		want  []string
	}{
		"it must look":     {Plan{}, nil, []string{"Get", "Swap"}},
		"it need not":      {Plan{Blind: true}, nil, []string{"Put"}},
		"the caller asks":  {Plan{Blind: true, Answers: true}, nil, []string{"Get", "Swap"}},
		"others ask":       {Plan{Blind: true}, &Hooks{}, []string{"Get", "Swap"}},
		"it was looked at": {Plan{Start: &Record{Token: driver.Token{N: 1}}}, nil, []string{"Swap"}},
	} {
		s := &shelf{item: driver.Item{Record: appendText(0, "old"), Token: driver.Token{N: 1}}}
		if _, err := call(t, s, test.hooks).Run("k", test.plan, write("new")); err != nil || !slices.Equal(s.calls, test.want) {
			t.Errorf("%s: %v, %v; want %v", name, s.calls, err, test.want)
		}
	}
}

func TestReading(t *testing.T) {
	loaded := Record{Value: []byte("loaded"), Live: true}
	for name, test := range map[string]struct {
		there []byte
		hooks *Hooks
		want  string
		calls []string
	}{
		"there":             {appendText(0, "old"), nil, "old", []string{"Get"}},
		"not there":         {nil, nil, "", []string{"Get"}},
		"loaded":            {nil, &Hooks{Load: func(context.Context, string) (Record, error) { return loaded, nil }}, "loaded", []string{"Get"}},
		"there, not loaded": {appendText(0, "old"), &Hooks{Load: func(context.Context, string) (Record, error) { return loaded, nil }}, "old", []string{"Get"}},
	} {
		s := &shelf{item: driver.Item{Record: test.there, Token: driver.Token{N: 1}}}
		used := 0
		c := call(t, s, test.hooks)
		c.store.Count(true)
		var seen Record
		err := c.Get("k", &seen, func(Record) (Change, error) { used++; return Change{}, nil })
		if err != nil || string(seen.Value) != test.want && seen.Live || used != map[bool]int{true: 1}[test.want != ""] || !slices.Equal(s.calls, test.calls) {
			t.Errorf("%s: %q, %v, used %d times, calls %v", name, seen.Value, err, used, s.calls)
		}
		hits, misses := int64(0), int64(1)
		if test.want != "" && name != "loaded" { // to find nothing is a miss, even if a loader finds it then
			hits, misses = 1, 0
		}
		if n := c.store.Counts(); n.Hits != hits || n.Misses != misses || n.GetTimes.N != 1 {
			t.Errorf("%s: %+v", name, n)
		}
	}
}

// A nearShelf has a copy of a record, or of none.
type nearShelf struct {
	shelf
	copied []byte
}

func (s *nearShelf) Copy(string) (driver.Item, bool) {
	return driver.Item{Record: s.copied, Token: driver.Token{N: 7}}, s.copied != nil
}

// A copy answers a read while it is alive, and decides no change.
func TestCopies(t *testing.T) {
	for name, test := range map[string]struct {
		copied []byte
		want   string
		calls  []string
	}{
		"near":              {appendText(0, "copy"), "copy", nil},
		"near, but dead":    {appendText(1, "copy"), "there", []string{"Get"}},
		"near, but damaged": {[]byte("copy"), "there", []string{"Get"}},
		"not near":          {nil, "there", []string{"Get"}},
	} {
		s := &nearShelf{shelf{item: driver.Item{Record: appendText(0, "there"), Token: driver.Token{N: 1}}}, test.copied}
		var seen Record
		err := call(t, s, nil).Get("k", &seen, func(Record) (Change, error) { return Change{}, nil })
		if err != nil || string(seen.Value) != test.want || !slices.Equal(s.calls, test.calls) {
			t.Errorf("%s: got %q, %v, calls %v", name, seen.Value, err, s.calls)
		}
		s.calls = nil
		if _, err := call(t, s, nil).Run("k", Plan{}, func(seen Record) (Change, error) {
			if string(seen.Value) != "there" {
				t.Errorf("%s: a change is decided by %q", name, seen.Value)
			}
			return Change{}, nil
		}); err != nil || !slices.Equal(s.calls, []string{"Get"}) {
			t.Errorf("%s: %v, calls %v", name, err, s.calls)
		}
	}
}

// A step that fails has not undone the change, and the steps before it have seen it.
func TestStepsThatFail(t *testing.T) {
	oops := errors.New("oops")
	s := &shelf{}
	c := call(t, s, &Hooks{Write: func(context.Context, string, Effect) error { return oops }})
	c.store.Count(true)
	_, err := c.Run("k", Plan{}, write("new"))
	if n := c.store.Counts(); !errors.Is(err, oops) || n.Puts != 1 || s.item.Record == nil {
		t.Errorf("%v, %+v, stored %v", err, n, s.item.Record != nil)
	}
}

// The error of an ended context says so, and blames nobody else for a cancelled one.
func TestTold(t *testing.T) {
	cancelled, cancel := context.WithCancel(context.Background())
	cancel()
	late, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	defer cancel()
	for _, err := range []error{driver.ErrUnavailable, driver.ErrIndeterminate, errors.New("i/o timeout"), context.Canceled, context.DeadlineExceeded} {
		if got := Told(context.Background(), err); !errors.Is(got, err) || errors.Is(got, context.Canceled) != errors.Is(err, context.Canceled) {
			t.Errorf("%v became %v", err, got)
		}
		if got := Told(cancelled, err); !errors.Is(got, context.Canceled) || errors.Is(got, driver.ErrUnavailable) {
			t.Errorf("cancelled: %v became %v", err, got)
		}
		if got := Told(late, err); !errors.Is(got, context.DeadlineExceeded) || !errors.Is(got, err) {
			t.Errorf("late: %v became %v", err, got)
		}
		if errors.Is(err, driver.ErrIndeterminate) && !errors.Is(Told(cancelled, err), err) {
			t.Errorf("cancelled: %v is lost", err)
		}
	}
}
