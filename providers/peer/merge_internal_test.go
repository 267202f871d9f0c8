package peer

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/memory"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A side is a partition on the one member of a cluster.
type side struct {
	t       *testing.T
	id      topology.ID
	replica *part.Replica
	fx      part.Effects
	merged  bool
}

// begun is when the sides' monotonic clocks were zero.
var begun = time.Now().Add(-time.Second)

func newSide(t *testing.T, id topology.ID, opts Options) *side {
	s := &side{t: t, id: id}
	s.replica = part.New(part.Options{Self: id, Origin: begun.UnixMicro(), Merge: opts.mergeFunc, Discards: opts.discards})
	s.replica.Configure(s.now(), topology.Found(uint64(id), topology.Member{ID: id}, 1), &s.fx)
	return s
}

func (s *side) now() part.Now {
	t := time.Now()
	return part.Now{Mono: int64(t.Sub(begun)), Wall: t, Lease: int64(time.Hour)}
}

// do executes a request.
func (s *side) do(req part.Request) part.Result {
	s.t.Helper()
	req.Tag, req.Expires = 1, int64(time.Hour)
	if req.Until != 0 {
		req.TTL = time.Until(time.UnixMicro(req.Until))
	}
	s.replica.Do(s.now(), &req, &s.fx)
	s.replica.Flush(s.now(), &s.fx)
	defer s.fx.Reset()
	if len(s.fx.Replies) != 1 || s.fx.Replies[0].Status != part.OK {
		s.t.Fatalf("%+v", s.fx.Replies)
	}
	return s.fx.Replies[0].Result
}

// give merges everything that a side has into another one.
func (s *side) give(to *side, common part.Version) {
	s.t.Helper()
	s.merged = false
	s.replica.Offer(s.now(), to.id, common, true, &s.fx)
	for len(s.fx.Send)+len(to.fx.Send) > 0 {
		for _, from := range []*side{s, to} {
			target := s
			if from == s {
				target = to
			}
			mail := append([]part.Envelope(nil), from.fx.Send...)
			s.merged = s.merged || from.fx.Merged
			from.fx.Reset()
			for _, m := range mail {
				target.replica.Step(target.now(), from.id, m.Msg, &target.fx)
			}
		}
	}
	if s.merged = s.merged || s.fx.Merged; !s.merged {
		s.t.Fatal("the offer does not come to an end")
	}
	s.fx.Reset()
}

// A server is an application with sessions; what it keeps can be taken out and put in.
type server struct {
	t       *testing.T
	records driver.Cache
	handler *httpsession.Manager
}

func newServer(t *testing.T) *server {
	t.Helper()
	p, err := memory.Connect(memory.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s := newServerOn(t, p)
	if s.records, err = p.OpenCache(t.Context(), "sessions", driver.CacheOptions{}); err != nil {
		t.Fatal(err)
	}
	return s
}

// newServerOn returns an application that closes its provider with the test.
func newServerOn(t *testing.T, p driver.Provider) *server {
	t.Helper()
	m, err := jcache.NewManager(p, jcache.ManagerOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Close(context.Background()) })
	s := &server{t: t}
	s.handler, err = httpsession.New(t.Context(), m, httpsession.Options{Cookie: httpsession.Cookie{AllowHTTP: true}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// serve serves a request with a cookie, or without one, and returns the cookie after it.
func (s *server) serve(cookie *http.Cookie, do func(ctx context.Context, session *httpsession.Session) error) *http.Cookie {
	s.t.Helper()
	r, w := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/", nil), httptest.NewRecorder()
	if cookie != nil {
		r.AddCookie(cookie)
	}
	s.handler.Handler(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		if err := do(r.Context(), httpsession.From(r)); err != nil {
			s.t.Error(err)
		}
	})).ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Errorf("a visitor got %d: %s", w.Code, w.Body)
	}
	for _, c := range w.Result().Cookies() {
		cookie = c
	}
	return cookie
}

// record returns the one record that the server has.
func (s *server) record() driver.Item {
	s.t.Helper()
	for item, err := range driver.FeaturesOf(s.records).Scanner.Scan(s.t.Context()) {
		if err != nil {
			s.t.Fatal(err)
		}
		return item
	}
	s.t.Fatal("there is no record")
	return driver.Item{}
}

func (s *server) put(key string, f part.Found) {
	s.t.Helper()
	item, _ := itemOf(key, f)
	if err := s.records.Put(s.t.Context(), key, f.Record, item.Deadline); err != nil {
		s.t.Fatal(err)
	}
}

type action = func(context.Context, *httpsession.Session) error

func setTo(name string, value int) action {
	return func(_ context.Context, s *httpsession.Session) error { return s.Set(name, value) }
}

func remove(name string) action {
	return func(_ context.Context, s *httpsession.Session) error { return s.Delete(name) }
}

func invalidate(ctx context.Context, s *httpsession.Session) error { return s.Invalidate(ctx) }

// Both sides of a split serve the same visitor; afterwards the visitor's session has what
// was done on either side.
func TestSessionsMerge(t *testing.T) {
	for _, test := range []struct {
		name          string
		larger, other action
		want          string
	}{
		{"different attributes", setTo("a", 1), setTo("b", 2), "a=1 b=2 both=0 old=0"},
		{"the same attribute", setTo("both", 1), setTo("both", 2), "both=2 old=0"},
		{"one that is removed", remove("old"), setTo("b", 2), "b=2 both=0"},
		{"one that is removed at the smaller side", setTo("a", 1), remove("old"), "a=1 both=0"},
		{"a session that ended", invalidate, setTo("b", 2), ""},
		{"a session that ended at the smaller side", setTo("a", 1), invalidate, ""},
	} {
		for _, opts := range []Options{{}, {Merge: map[string]MergePolicy{"others": MergeDiscard}}} {
			t.Run(test.name, func(t *testing.T) {
				if got := mergeSessions(t, opts, test.larger, test.other); got != test.want {
					t.Errorf("the session has %q, want %q", got, test.want)
				}
			})
		}
	}
}

func mergeSessions(t *testing.T, opts Options, atLarger, atSmaller action) string {
	first := newServer(t)
	cookie := first.serve(nil, func(_ context.Context, s *httpsession.Session) error {
		return errors.Join(s.Set("both", 0), s.Set("old", 0))
	})
	base := first.record()
	larger, smaller := newSide(t, 1, opts), newSide(t, 2, opts)
	put := func(s *side, item driver.Item) part.Version {
		return s.do(part.Request{Kind: part.Put, Cache: "sessions", Key: item.Key, Record: item.Record, Until: untilOf(item.Deadline)}).Version
	}
	common := put(larger, base)
	larger.give(smaller, 0)
	for _, s := range []struct {
		side *side
		do   action
	}{{larger, atLarger}, {smaller, atSmaller}} {
		server := newServer(t)
		server.put(base.Key, s.side.do(part.Request{Kind: part.Get, Cache: "sessions", Key: base.Key}).Present)
		server.serve(cookie, s.do)
		put(s.side, server.record())
	}
	smaller.give(larger, common)
	result := func() part.Found {
		return larger.do(part.Request{Kind: part.Get, Cache: "sessions", Key: base.Key}).Present
	}
	merged := result()
	smaller.give(larger, common)
	if again := result(); again.Version != merged.Version {
		t.Error("merged again it is another one")
	}
	last := newServer(t)
	last.put(base.Key, merged)
	return last.attributes(cookie)
}

// attributes returns what a visitor's session has of the attributes of these tests.
func (s *server) attributes(cookie *http.Cookie) string {
	s.t.Helper()
	var list []string
	s.serve(cookie, func(ctx context.Context, session *httpsession.Session) error {
		for _, name := range []string{"a", "b", "both", "old"} {
			n, ok, err := httpsession.Get[int](ctx, session, name)
			if err != nil {
				return err
			}
			if ok {
				list = append(list, fmt.Sprint(name, "=", n))
			}
		}
		return nil
	})
	return strings.Join(list, " ")
}

// What the policies do to records that do not merge.
func TestMergePolicies(t *testing.T) {
	for _, test := range []struct {
		list []string
		// what becomes of keys that both sides changed, the smaller one last; that only the
		// smaller one changed, or made; and that the larger one removed first
		both, changed, made, removed string
	}{
		{nil, "smaller", "smaller", "smaller", "smaller"},
		{[]string{"cache=latest", "discard"}, "smaller", "smaller", "smaller", "smaller"},
		{[]string{"first"}, "larger", "smaller", "smaller", ""},
		{[]string{"discard", "other=latest"}, "larger", "before", "", ""},
	} {
		policies, err := parseMerge(test.list)
		if err != nil {
			t.Fatal(err)
		}
		opts := Options{Merge: policies}
		larger, smaller := newSide(t, 1, opts), newSide(t, 2, opts)
		write := func(s *side, key, record string) part.Version {
			req := part.Request{Kind: part.Put, Cache: "cache", Key: key, Record: []byte(record)}
			if record == "" {
				req.Kind = part.Delete
			}
			return s.do(req).Version
		}
		write(larger, "both", "before")
		write(larger, "changed", "before")
		common := write(larger, "removed", "before")
		smaller.give(larger, 0)
		larger.give(smaller, 0)
		if opts.mergePolicy("cache") == MergeDiscard { // it has nothing of the other cluster
			for _, key := range []string{"both", "changed", "removed"} {
				write(smaller, key, "before")
			}
		}
		write(larger, "both", "larger")
		write(larger, "removed", "")
		for _, key := range []string{"both", "changed", "made", "removed"} {
			write(smaller, key, "smaller")
		}
		smaller.give(larger, common)
		for key, want := range map[string]string{"both": test.both, "changed": test.changed, "made": test.made, "removed": test.removed} {
			if f := larger.do(part.Request{Kind: part.Get, Cache: "cache", Key: key}).Present; string(f.Record) != want {
				t.Errorf("%v: %s is %q, want %q", test.list, key, f.Record, want)
			}
		}
	}
	for _, list := range [][]string{{"last"}, {"first", "latest"}, {"=first"}, {"a=first", "a=first"}, {"a="}} {
		if _, err := parseMerge(list); err == nil {
			t.Errorf("%v is accepted", list)
		}
	}
	if _, err := (Options{Merge: map[string]MergePolicy{"a": MergeDiscard + 1}}).withDefaults().node(); !errors.Is(err, jcache.ErrInvalid) {
		t.Errorf("a policy that there is not: %v", err)
	}
}

// What is left to a merged record ends with the range of time, not before it began.
func TestWhatIsLeftDoesNotOverflow(t *testing.T) {
	now := time.Now()
	it := &part.Item{Left: math.MaxInt64 - 1, Until: now.Add(math.MaxInt64 - 1).UnixMicro()}
	if left := leftUntil(now.Add(math.MaxInt64-1).Add(time.Minute), it); left != math.MaxInt64 {
		t.Errorf("a minute beyond the range %v are left", left)
	}
	if left := leftUntil(now.Add(-time.Minute), it); left != 1 {
		t.Errorf("after the deadline %v are left", left)
	}
}
