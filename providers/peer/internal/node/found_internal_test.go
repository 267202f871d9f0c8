package node

import (
	"maps"
	"testing"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/topology"
)

// A process agrees to one who begins the cluster at a time. Of this process and another one that ask
// at the same time, the smaller ID may begin.
func TestOneMayBegin(t *testing.T) {
	const self, until = topology.ID(5), int64(100)
	for name, test := range map[string]struct {
		before, asks topology.ID
		now          int64
		agrees       bool
	}{
		"the first one":                   {0, 7, 1, true},
		"the same one again":              {7, 7, 1, true},
		"a second one":                    {7, 3, 1, false},
		"a second one, after the time":    {7, 3, until, true},
		"a larger one, as this one asks":  {self, 7, 1, false},
		"a smaller one, as this one asks": {self, 3, 1, true},
	} {
		t.Run(name, func(t *testing.T) {
			var f founding
			if test.before != 0 && !f.agree(0, test.before, self, until) {
				t.Fatal("the first one is refused")
			}
			if got := f.agree(test.now, test.asks, self, test.now+until); got != test.agrees {
				t.Errorf("it agrees: %v", got)
			}
			if f.withdraw(9); test.agrees && f.agreedTo != test.asks {
				t.Errorf("it has agreed to %d", f.agreedTo)
			}
			if f.withdraw(f.agreedTo); !f.agree(test.now, 9, self, until) {
				t.Error("it agrees to nobody after the one has given up")
			}
		})
	}
}

func TestAnswerToWhoWouldBegin(t *testing.T) {
	met := map[topology.ID]string{1: "127.0.0.1:1", 1<<64 - 1: "shop.example:7801"}
	for _, agreed := range []bool{true, false} {
		b := appendAgreed(nil, agreed, met)
		if got, ok := parseAgreed(b); ok != agreed || !maps.Equal(got, met) {
			t.Errorf("%v %v comes back as %v %v", agreed, met, ok, got)
		}
		for end := range b {
			if _, ok := parseAgreed(b[:end]); ok {
				t.Errorf("a part of the answer agrees: %d of %d bytes", end, len(b))
			}
		}
	}
}
