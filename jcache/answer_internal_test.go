package jcache

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/codec"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/internal/engine"
)

func FuzzProcessorCall(f *testing.F) {
	fixed := &fixedExpiry{create: ExpireAfter(time.Hour), access: KeepExpiry(), update: ExpireNever()}
	for _, c := range []processorCall{{}, {inRecord: true, limit: 1 << 20, key: "key", args: []byte("args")}, {fixed: fixed, key: "k"}} {
		f.Add(c.append(nil))
	}
	p := RegisterProcessor("jcache.FuzzProcessorCall", Options[string, string]{}, func(e *MutableEntry[string, string], s string) (string, error) {
		value, _, err := e.Value()
		e.SetValue(value + s)
		return value, err
	})
	value, err := AppendValue(nil, "v")
	if err != nil {
		f.Fatal(err)
	}
	item := driver.Item{Record: append(engine.AppendHeader(nil, 1, codec.IDTagged, 0, false), value...)}
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseCall(data); err == nil {
			again, err := parseCall(c.append(nil))
			if err != nil || again.key != c.key || !bytes.Equal(again.args, c.args) || again.limit != c.limit || again.inRecord != c.inRecord {
				t.Errorf("%+v became %+v, %v", c, again, err)
			}
			if c.fixed != nil && *again.fixed != *c.fixed {
				t.Errorf("%+v became %+v", c.fixed, again.fixed)
			}
		}
		d := p.serve(item, true, data)
		if _, err := parseAnswer(d.Output); err != nil && d.Change != driver.ChangeNothing {
			t.Errorf("the answer is %v, and the decision %d", err, d.Change)
		}
		_, _ = parseAnswer(data)
	})
}

func TestFailuresTravel(t *testing.T) {
	for _, err := range []error{
		errors.New("plain"),
		fmt.Errorf("%w: %w", ErrProcessor, ErrTypeMismatch),
		fmt.Errorf("for a reason: %w", errors.ErrUnsupported),
		errors.New(strings.Repeat("x", 3*maxFailureText)),
	} {
		_, got := parseAnswer(appendFailure(err))
		if got == nil || !strings.HasPrefix(err.Error(), got.Error()) || len(got.Error()) > maxFailureText {
			t.Errorf("%.40v became %.40v", err, got)
		}
		for _, s := range sentinels {
			if errors.Is(err, s) != errors.Is(got, s) {
				t.Errorf("%.40v and %.40v do not both match %v", err, got, s)
			}
		}
	}
	if _, err := parseAnswer(nil); !errors.Is(err, ErrIndeterminate) {
		t.Errorf("an empty answer is %v", err)
	}
}
