package peer

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"testing"

	"github.com/keepsake-cache/keepsake/httpsession"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Whoever's session is damaged, wherever, gets another one: neither a read nor a write nor a
// logout locks the visitor out.
func TestDamagedSessionLocksNobodyOut(t *testing.T) {
	p, err := Connect(t.Context(), Options{Listen: []string{"127.0.0.1:0"}, Security: Security{Plaintext: true}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	s := newServerOn(t, p)
	if s.records, err = p.OpenCache(t.Context(), "sessions", driver.CacheOptions{}); err != nil {
		t.Fatal(err)
	}
	damages := map[string]func(record []byte) []byte{}
	for n := range driver.WriteIDBytes + 12 {
		damages[fmt.Sprint("cut after ", n)] = func(record []byte) []byte { return record[:n] }
		damages[fmt.Sprint("bits of ", n)] = func(record []byte) []byte { record[n] ^= 0xFF; return record }
	}
	actions := map[string]action{"read": func(ctx context.Context, s *httpsession.Session) error {
		_, _, err := httpsession.Get[int](ctx, s, "n")
		return err
	}, "write": setTo("n", 2), "logout": invalidate, "renew": func(_ context.Context, s *httpsession.Session) error { return s.Renew() }}
	for name, damage := range damages {
		for did, do := range actions {
			visitor := s.serve(nil, setTo("n", 1))
			item := s.record()
			if err := s.records.Put(t.Context(), item.Key, damage(slices.Clone(item.Record)), item.Deadline); err != nil {
				t.Fatal(err)
			}
			for _, next := range []action{do, actions["read"], setTo("n", 3), invalidate} {
				if visitor = s.serve(visitor, next); t.Failed() {
					t.Fatalf("%s, then %s", name, did)
				}
			}
			if err := driver.FeaturesOf(s.records).Clearer.Clear(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
}
