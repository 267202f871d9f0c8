package jcache_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
)

type numberEntry = jcache.MutableEntry[string, int]

// increment is a processor that counts.
func increment(_ context.Context, e *numberEntry) (int, error) {
	n, _, err := e.Value()
	e.SetValue(n + 1)
	return n + 1, err
}

func TestMissingProcessor(t *testing.T) {
	ctx, c := t.Context(), create(t, jcache.Options[string, int]{})
	var none jcache.Processor[string, int, int]
	_, invoke := jcache.Invoke(ctx, c, "k", none)
	_, invokeEntry := jcache.InvokeEntry(ctx, c, jcache.Entry[string, int]{Key: "k"}, none)
	_, invokeAll := jcache.InvokeAll(ctx, c, []string{"k"}, none)
	_, invokeExclusive := jcache.InvokeExclusive(ctx, c, "k", time.Minute, none)
	for name, err := range map[string]error{"Invoke": invoke, "InvokeEntry": invokeEntry, "InvokeAll": invokeAll, "InvokeExclusive": invokeExclusive} {
		if !errors.Is(err, jcache.ErrInvalid) {
			t.Errorf("%s without a processor: got error %v, want ErrInvalid", name, err)
		}
	}
}

func TestMissingPolicyIsEternal(t *testing.T) {
	ctx, c := t.Context(), create(t, jcache.Options[string, int]{ExpiryPolicy: jcache.Created[string, int](time.Hour)})
	view := c.WithExpiryPolicy(nil)
	if err := view.Put(ctx, "k", 1); err != nil {
		t.Fatal(err)
	}
	if e, ok, err := view.GetEntry(ctx, "k"); !ok || err != nil || !e.Deadline.IsZero() {
		t.Errorf("got %v, %v, %v; want an eternal entry", e, ok, err)
	}
}

func TestExclusiveProcessorPanics(t *testing.T) {
	c := create(t, jcache.Options[string, int]{})
	func() {
		defer func() { _ = recover() }()
		_, _ = jcache.InvokeExclusive(t.Context(), c, "k", time.Hour, func(context.Context, *numberEntry) (int, error) { panic("on purpose") })
	}()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	if n, err := jcache.InvokeExclusive(ctx, c, "k", time.Hour, increment); n != 1 || err != nil {
		t.Errorf("after a processor panicked: %d, %v", n, err)
	}
	if _, err := jcache.InvokeExclusive(ctx, c, "k", 0, increment); !errors.Is(err, jcache.ErrInvalid) {
		t.Errorf("without a lease: got error %v, want ErrInvalid", err)
	}
}
