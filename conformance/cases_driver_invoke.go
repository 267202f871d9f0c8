package conformance

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// processorName is the processor of the cases on the bare driver.
const processorName = "conformance.script"

func init() { driver.RegisterProcessor(processorName, runScript) }

// runScript does what its arguments say: a word, and for some a deadline in milliseconds
// since 1970, and a text. Its output is the text of the record that it found, or absent.
func runScript(present driver.Item, found bool, args []byte) driver.Decision {
	word, rest, _ := strings.Cut(string(args), " ")
	was := textIf(present, found)
	d := driver.Decision{Output: []byte(orAbsent(was, found))}
	switch word {
	case "append":
		d.Change, d.Record = driver.ChangeStore, record(was+rest)
	case "appendUntil":
		until, text, _ := strings.Cut(rest, " ")
		d.Change, d.Record, d.Deadline = driver.ChangeStore, record(was+text), deadlineOf(until)
	case "remove":
		d.Change = driver.ChangeRemove
	case "retime":
		if found {
			d.Change, d.Deadline = driver.ChangeRetime, deadlineOf(rest)
		}
	}
	return d
}

func deadlineOf(text string) time.Time {
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return never
	}
	return time.UnixMilli(ms)
}

// invoke runs a script on a key and returns what it found.
func (c client) invoke(key, script string) (found string) {
	output, err := c.f.Invoker.Invoke(c.e.ctx, key, processorName, []byte(script))
	c.e.ok(err)
	return string(output)
}

var driverInvokeCases = []testCase{
	{
		name:   "invoke/does what the processor decides",
		rule:   "Invoke executes the Processor that is registered under that name on the record of key, stores what it decides, and returns its output.",
		source: "driver.Invoker",
		needs:  needing(driver.FeatureInvoke),
		run: func(e *env) {
			a, b := e.pair()
			e.equal("found in an absent key", a.invoke(key, "append one"), absent)
			e.equal("stored", b.get(key), "one")
			e.equal("found by another client", b.invoke(key, "append +two"), "one")
			e.equal("stored", a.get(key), "one+two")
			token := a.item(key).Token
			e.equal("found by one that decides nothing", b.invoke(key, "nothing"), "one+two")
			swapped, _ := a.swap(key, token, "three")
			e.equal("swapped with the token from before a processor that decided nothing", swapped, true)
			e.equal("found by one that removes", a.invoke(key, "remove"), "three")
			e.equal("after the removal", b.get(key), absent)
			e.equal("found by one that removes nothing", b.invoke(key, "remove"), absent)
			e.equal("another key", a.invoke(otherKey, "nothing"), absent)
			e.equal("a key that nothing was decided for", b.get(otherKey), absent)
		},
	},
	{
		name:   "invoke/a write makes older tokens fail",
		rule:   "Any successful write makes every older token of that key fail.",
		source: "driver contract 2",
		needs:  needing(driver.FeatureInvoke),
		run: func(e *env) {
			a, b := e.pair()
			a.put(key, "one")
			token := a.item(key).Token
			b.invoke(key, "append +two")
			swapped, _ := a.swap(key, token, "three")
			e.equal("swapped with a token from before a processor that stored", swapped, false)
			e.equal("the record", a.get(key), "one+two")
		},
	},
	{
		name:   "invoke/deadlines",
		rule:   "What a processor stores has the deadline that it decides. ChangeRetime moves the deadline of the record that is there and keeps its token.",
		source: "driver.Decision",
		needs:  needing(driver.FeatureInvoke),
		run: func(e *env) {
			a, b := e.pair()
			until := func(d time.Time) string { return strconv.FormatInt(d.UnixMilli(), 10) }
			deadline := in(500 * time.Millisecond)
			a.invoke(key, "appendUntil "+until(deadline)+" short")
			if got := b.get(key); got != "short" && time.Now().Before(deadline) {
				e.Errorf("before its deadline the record is %s", got)
			}
			e.wait(deadline.Add(a.Info().ExpiryStep + 20*time.Millisecond))
			e.equal("after the deadline", b.get(key), absent)
			e.equal("found after the deadline", a.invoke(key, "append new"), absent)
			a.invoke(key, "append +eternal")
			if a.f.Toucher == nil {
				return
			}
			e.equal("a record stored without a deadline has none", b.item(key).Deadline.IsZero(), true)
			token, later := b.item(key).Token, in(time.Hour)
			e.equal("found by one that moves the deadline", a.invoke(key, "retime "+until(later)), "new+eternal")
			e.equal("the deadline", b.item(key).Deadline.Equal(later), true)
			e.equal("found by one that takes the deadline away", b.invoke(key, "retime never"), "new+eternal")
			e.equal("the deadline", a.item(key).Deadline.IsZero(), true)
			swapped, _ := a.swap(key, token, "three")
			e.equal("swapped with the token from before the deadline was moved", swapped, true)
		},
	},
	{
		name:   "invoke/an unknown processor",
		rule:   "If the process that serves the key does not know the name, the error matches ErrNoProcessor. Nothing was changed.",
		source: "driver.Invoker, driver.ErrNoProcessor",
		needs:  needing(driver.FeatureInvoke),
		run: func(e *env) {
			c := e.open()
			c.put(key, "one")
			output, err := c.f.Invoker.Invoke(e.ctx, key, processorName+".unknown", []byte("append +two"))
			if !errors.Is(err, driver.ErrNoProcessor) || output != nil {
				e.Errorf("got %d bytes and error %v, want ErrNoProcessor", len(output), err)
			}
			e.equal("the record", c.get(key), "one")
		},
	},
	{
		name:   "invoke/each call takes effect once",
		rule:   "Nothing else happens to the key while a processor is executed, and what it decides is stored once.",
		source: "driver.Processor, driver contract 1",
		needs:  needing(driver.FeatureInvoke),
		run: func(e *env) {
			a, b := e.pair()
			const goroutines, each = 8, 25
			var found [goroutines][]string
			e.parallel(goroutines, func(i int) {
				c := [2]client{a, b}[i%2]
				for j := range each {
					if i%4 == 3 { // others come in between
						item, ok, err := c.Get(e.ctx, key)
						e.ok(err)
						if ok {
							c.swap(key, item.Token, text(item)+"[swapped]")
						}
					}
					found[i] = append(found[i], c.invoke(key, fmt.Sprint("append [", i, ".", j, "]")))
				}
			})
			last := a.get(key)
			for i, list := range found {
				for j, was := range list {
					mark := fmt.Sprint("[", i, ".", j, "]")
					if n := strings.Count(last, mark); n != 1 {
						e.Fatalf("what one call appended is there %d times", n)
					}
					if before, _, _ := strings.Cut(last, mark); strings.TrimPrefix(was, absent) != before {
						e.Fatalf("the output of a call is not what was there before it")
					}
				}
			}
		},
	},
}
