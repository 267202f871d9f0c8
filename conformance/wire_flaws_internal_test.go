package conformance

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A flaw is something that the author of a driver gets wrong.
type flaw string

// flawless is the driver as it should be.
const flawless flaw = ""

// alsoBroken has rules that a flaw breaks as well; which of them shows first is a matter of time.
var alsoBroken = map[flaw][]string{
	"a put returns before its answer":         {"Opening a name again", "OpenCache gives access", "any bytes up to MaxRecordBytes come back"},
	"a connection is kept with an answer due": {ruleRecovers.text, "A record is readable as soon as the call that wrote it returned"},
	"a life below a millisecond is for ever":  {ruleNotEarly},
}

// flaws has for each flaw the rule with which the suite's report must begin.
var flaws = map[flaw]string{
	// Errors that are not told.
	"a put swallows its error":                 ruleSwallowed.text,
	"a delete swallows its error":              ruleSwallowed.text,
	"a get tells its error as absence":         ruleAbsent.text,
	"a batch get tells its error as absence":   ruleAbsent.text,
	"a scan ends at an error and says nothing": "An error ends the sequence.",
	"a swap tells its error as a refusal":      ruleSwallowed.text,
	"a batch put stops at its first error":     ruleSwallowed.text,
	"a batch put turns its errors round":       ruleSwallowed.text,
	"a put returns before its answer":          "A record is readable as soon as the call that wrote it returned",
	"a size tells its error as zero":           ruleAbsent.text,
	"an error of a get is an unknown outcome":  ruleKnown.text,
	"an error is what the connection says":     ruleKnown.text,
	"a put's lost answer is unavailability":    ruleOutcome.text,
	"a swap's lost answer is unavailability":   ruleOutcome.text,
	"a delete's lost answer is unavailability": ruleOutcome.text,
	"a clear's lost answer is unavailability":  ruleOutcome.text,
	"the end of a context is unavailability":   ruleOutcome.text,
	"an error tells the key":                   ruleSecrets.text,
	"a half of an answer is an answer":         ruleAbsent.text,
	"a refusal is an error":                    ruleConflict,
	"a delete of nothing is an error":          "Removing an absent key is not an error.",
	"a put is sent again":                      ruleOnce.text,
	"a swap is sent again":                     ruleOnce.text,
	"a delete is sent again":                   ruleOnce.text,
	"an exchange is sent again":                ruleOnce.text,
	"a connection is kept with an answer due":  ruleBelongs.text,
	"an answer is read in one piece":           ruleSlow.text,
	"a context is ignored":                     ruleContext.text,
	"a context is ignored where it connects":   ruleContext.text,
	"a cancellation is ignored":                ruleContext.text,
	"the end of a context is a timeout":        ruleContext.text,
	"close leaves a goroutine":                 ruleCloses.text,
	"close leaves connections":                 ruleCloses.text,
	"close waits for a silent server":          ruleCloses.text,
	"a broken connection stays broken":         ruleRecovers.text,
	"a watcher hears of no gap":                ruleGap.text,
	"a watcher ends with its connection":       ruleGap.text,
	"a life is cut to milliseconds":            ruleNotEarly,
	"a life is cut to seconds":                 ruleNotEarly,
	"a life below a millisecond is for ever":   ruleGone,
	"a life of more than 24 days is cut":       ruleNotEarly,
	"a put forgets the deadline":               ruleGone,
	"a swap forgets the deadline":              ruleGone,
	"a batch put forgets the deadline":         ruleGone,
	"an exchange forgets the deadline":         ruleGone,
	"a swap meets the dead":                    "The zero Token demands that the key be absent, and",
	"keys are texts":                           "Keys are non-empty",
	"keys are cut":                             "Keys are non-empty",
	"keys are joined with names":               "OpenCache gives access to the records of the named cache.",
	"names are in lower case":                  "OpenCache gives access to the records of the named cache.",
	"records are texts":                        "A driver never looks inside a record",
	"a token is the content":                   ruleNoABA,
	"a token comes back":                       ruleNoABA,
	"a swap is two steps":                      ruleLinearizable,
	"a zero token demands nothing":             ruleConflict,
	"an exchange returns what it stores":       "Exchange stores record",
	"an exchange is two steps":                 "Exchange returns the record that was there",
	"a scan yields some twice":                 ruleScan,
	"a scan leaves some out":                   ruleScan,
	"a clear clears every cache":               "Clear removes only the records of this cache.",
	"a size counts every cache":                "Size returns the number of stored records.",
}

var errBroken = errors.New("the connection is broken")

// is reports whether the provider has that flaw.
func (p *wireProvider) is(f flaw) bool {
	if _, ok := flaws[f]; !ok {
		panic("no such flaw: " + string(f))
	}
	return p.flaw == f
}

// swallow returns nil instead of an error if that is the flaw.
func (p *wireProvider) swallow(f flaw, err error) error {
	if p.is(f) {
		return nil
	}
	return err
}

// again reports whether a request whose answer was lost is sent again.
func (p *wireProvider) again(ctx context.Context, r wireRequest) bool {
	return ctx.Err() == nil && (p.is("a put is sent again") && r.Op == "put" || p.is("a swap is sent again") && r.Op == "swap" ||
		p.is("a delete is sent again") && r.Op == "delete" || p.is("an exchange is sent again") && r.Op == "exchange")
}

// spoil changes a request before it is sent.
func (p *wireProvider) spoil(r *wireRequest) {
	switch p.flaw {
	case "keys are texts":
		r.Key = bytes.ToValidUTF8(r.Key, []byte("?"))
	case "keys are cut":
		r.Key = r.Key[:min(len(r.Key), 250)]
	case "keys are joined with names":
		if len(r.Key) > 0 {
			r.Key, r.Cache = append([]byte(r.Cache), r.Key...), ""
		}
	case "names are in lower case":
		r.Cache = strings.ToLower(r.Cache)
	case "records are texts":
		if r.Record != nil {
			r.Record = append(slices.Clone(r.Record[:driver.WriteIDBytes]), bytes.ToValidUTF8(r.Record[driver.WriteIDBytes:], []byte("?"))...)
		}
	case "a put forgets the deadline", "a swap forgets the deadline", "an exchange forgets the deadline":
		if strings.Contains(string(p.flaw), r.Op) {
			r.Life = 0
		}
	case "a zero token demands nothing":
		if r.Op == "swap" && r.Token == 0 && r.Record != nil {
			r.Op = "force"
		}
	case "a clear clears every cache", "a size counts every cache":
		if strings.Contains(string(p.flaw), r.Op) {
			r.Cache = "*"
		}
	}
}

// spoilLife changes for how long a record lives.
func (p *wireProvider) spoilLife(left time.Duration, life int64) int64 {
	switch p.flaw {
	case "a life is cut to milliseconds":
		return max(1, left.Milliseconds())
	case "a life is cut to seconds":
		return max(1, int64(left/time.Second)*1000)
	case "a life below a millisecond is for ever":
		return max(0, left.Milliseconds())
	case "a life of more than 24 days is cut":
		return max(1, int64(int32(life)))
	}
	return life
}

// spoilError changes an error before it is told.
func (p *wireProvider) spoilError(ctx context.Context, r wireRequest, kind, err error) error {
	lost := fmt.Sprintf("a %s's lost answer is unavailability", r.Op)
	switch {
	case string(p.flaw) == lost, p.is("the end of a context is unavailability") && ctx.Err() != nil:
		kind = driver.ErrUnavailable
	case p.is("an error of a get is an unknown outcome") && r.Op == "get":
		kind = driver.ErrIndeterminate
	case p.is("an error is what the connection says") && errors.Is(kind, driver.ErrUnavailable):
		return err
	case p.is("an error tells the key"):
		return fmt.Errorf("%w: %s: %w", kind, r.Key, err)
	case p.is("the end of a context is a timeout") && ctx.Err() != nil:
		return fmt.Errorf("%w: %w", kind, os.ErrDeadlineExceeded)
	}
	return fmt.Errorf("%w: %w", kind, err)
}

// spoilExchange makes a request on a connection and goes wrong there.
func (p *wireProvider) spoilExchange(ctx context.Context, c *wireConn, r wireRequest, a *wireAnswer) error {
	switch p.flaw {
	case "a context is ignored":
		return c.exchange(context.Background(), r, a)
	case "a cancellation is ignored":
		deadline, _ := ctx.Deadline()
		_ = c.SetDeadline(deadline)
		return c.exchange(context.Background(), r, a)
	case "a broken connection stays broken":
		if p.broken.Load() {
			return errBroken
		}
		err := c.exchange(ctx, r, a)
		p.broken.Store(err != nil)
		return err
	case "a half of an answer is an answer":
		err := c.exchange(ctx, r, a)
		if err != nil && strings.Contains(err.Error(), "unexpected EOF") {
			err = nil
		}
		return err
	case "an answer is read in one piece":
		return c.exchangeInOnePiece(ctx, r, a)
	case "a scan leaves some out":
		err := c.exchange(ctx, r, a)
		if r.Op == "scan" && len(a.Items) > 8 {
			a.Items = a.Items[1:]
		}
		return err
	}
	return c.exchange(ctx, r, a)
}

// exchangeInOnePiece takes what comes first for the whole answer.
func (c *wireConn) exchangeInOnePiece(ctx context.Context, r wireRequest, a *wireAnswer) error {
	stop := context.AfterFunc(ctx, func() { _ = c.Close() })
	if err := c.out.Encode(r); err != nil {
		return err
	}
	piece := make([]byte, 16<<10)
	n, err := c.Read(piece)
	answer := slices.Clone(piece[:n])
	for err == nil && len(answer) > 1000 && answer[len(answer)-1] != '\n' { // large ones its author has tried
		n, err = c.Read(piece)
		answer = append(answer, piece[:n]...)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	if err != nil {
		return err
	}
	return json.Unmarshal(answer, a)
}

// giveUp keeps a connection whose answer is due.
func (p *wireProvider) giveUp(ctx context.Context, c *wireConn, r wireRequest, a *wireAnswer) error {
	stop := context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
	err := c.out.Encode(r)
	if err == nil {
		err = c.in.Decode(a)
	}
	stop()
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		_ = c.SetReadDeadline(never)
		p.keep(newWireConn(c.Conn))
	}
	return err
}

// swapInTwoSteps compares and then writes.
func (c *wireCache) swapInTwoSteps(ctx context.Context, r wireRequest) (bool, *driver.Item, error) {
	item, found, err := c.Get(ctx, string(r.Key))
	if err != nil || found && item.Token.N != r.Token || !found && r.Token != 0 {
		return false, nil, err
	}
	r.Op = "put"
	if r.Record == nil {
		r.Op = "delete"
	}
	_, err = c.p.call(ctx, r)
	return err == nil, nil, err
}

// spoilToken gives a record a token that another record has had.
func (p *wireProvider) spoilToken(item *driver.Item) {
	switch p.flaw {
	case "a token is the content":
		item.Token.N = 1
		for _, b := range item.Record[min(driver.WriteIDBytes, len(item.Record)):] {
			item.Token.N = item.Token.N*31 + uint64(b)
		}
	case "a token comes back":
		item.Token.N = item.Token.N%16 + 1
	}
}

// swapByToken swaps if the spoilt token is the present one.
func (c *wireCache) swapByToken(ctx context.Context, r wireRequest) (bool, *driver.Item, error) {
	get := wireRequest{Op: "get", Cache: r.Cache, Key: r.Key}
	a, err := c.p.call(ctx, get)
	if err != nil {
		return false, nil, err
	}
	if item, found := first(a); found {
		c.p.spoilToken(&item)
		if item.Token.N != r.Token {
			return false, nil, nil
		}
		r.Token = a.Items[0].Token
	}
	a, err = c.p.call(ctx, r)
	return a.Swapped, nil, err
}
