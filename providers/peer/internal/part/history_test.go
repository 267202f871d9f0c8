package part_test

import (
	"flag"
	"fmt"
	"math"
	"math/bits"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/part"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/rules"
)

var (
	seeds    = flag.Int("seeds", 150, "how many simulations to run")
	attempts = flag.Int("attempts", 2000, "how many simulations may miss that a rule is missing")
	oneSeed  = flag.Uint64("seed", 0, "run this simulation only, and print what happened")
	oneRules = flag.Uint("without", 0, "rules to remove, as bits, with -seed")
)

// An operation is what a client did, and learned.
type operation struct {
	kind      part.Kind
	key       string
	value     string // written; empty: deletes
	demand    string // the value whose version a Swap demands; empty: absent
	call, end int64
	result    part.Result
	unknown   bool
}

func (o *operation) String() string {
	return fmt.Sprintf("%d %s %q demand %q: %d %q unknown=%v repeated=%v", o.kind, o.key, o.value, o.demand, o.result.Status,
		o.result.Present.Record, o.unknown, o.result.Repeated)
}

// register is what one key should be: its state is the value, empty if absent.
var register = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		held, o := state.(string), input.(*operation)
		present := string(o.result.Present.Record)
		switch o.kind {
		case part.Get:
			return present == held, held
		case part.Put, part.Clear:
			return true, o.value
		case part.Delete, part.Exchange:
			return o.unknown || o.result.Repeated || present == held, o.value
		case part.Swap:
			switch {
			case o.unknown && held != o.demand:
				return true, held
			case o.result.Status == part.NotSwapped:
				return held != o.demand && (o.result.Repeated || present == held), held
			}
			return held == o.demand, o.value
		}
		panic("no such operation")
	},
	DescribeOperation: func(input, _ any) string { return input.(*operation).String() },
}

// clients issues operations and keeps their history.
type clients struct {
	*cluster
	history []*operation
	values  int
	open    int
	// appended are the acknowledged and the possible values of the list.
	acked, possible []string
}

const opTime = 2500 * ms

// client works until it is told to stop.
func (c *clients) client(id uint64, stop *bool) {
	var seq uint64
	tokens, values := map[string]part.Version{}, map[string]string{}
	var next func()
	next = func() {
		if *stop {
			return
		}
		seq++
		c.values++
		key := fmt.Sprint("key", c.rand.IntN(3))
		o := &operation{key: key, call: c.now, value: fmt.Sprint("v", c.values)}
		req := part.Request{Op: part.OpID{Client: id, Seq: seq}, Cache: "cache", Key: key, Expires: c.now + opTime}
		switch n := c.rand.IntN(20); {
		case n < 8:
			o.kind, o.value = part.Get, ""
		case n < 11:
			o.kind = part.Put
		case n < 13:
			o.kind, o.value = part.Delete, ""
		case n < 14:
			o.kind = part.Exchange
		case n < 17:
			o.kind, o.demand = part.Swap, values[key]
			req.Token = tokens[key]
		case n < 18:
			o.kind, o.value = part.Clear, ""
			req.Key = ""
		default:
			o.kind = part.Process
			o.value += ","
			req.Cache, req.Key, req.Processor, req.Args = "lists", "list", "append", []byte(o.value)
		}
		if req.Kind = o.kind; o.value != "" {
			req.Record = []byte(o.value)
		}
		c.open++
		c.attempt(req, o, func() {
			c.open--
			c.finish(o)
			if o.kind == part.Get || o.kind == part.Swap && o.result.Status == part.NotSwapped && !o.result.Repeated {
				tokens[key], values[key] = o.result.Present.Version, string(o.result.Present.Record)
			}
			c.after(ms*c.rand.Int64N(40), next)
		})
	}
	next()
}

// attempt sends a request until it is answered for good.
func (c *clients) attempt(req part.Request, o *operation, done func()) {
	c.do(req, func(res part.Result) {
		again := res.Status == part.NotPrimary || res.Status == part.Unknown
		o.unknown = o.unknown || res.Status == part.Unknown
		if again && c.now < req.Expires {
			c.after(5*ms+c.rand.Int64N(20*ms), func() { c.attempt(req, o, done) })
			return
		}
		if res.Status == part.OK || res.Status == part.NotSwapped {
			o.unknown = false
		}
		o.result, o.end = res, c.now
		if late := c.now - req.Expires; late > int64(time.Second) {
			c.fail("answered %v after its deadline", time.Duration(late))
		}
		done()
	})
}

// finish adds an operation to the history, if it may have had an effect.
func (c *clients) finish(o *operation) {
	if c.now-o.call > 0 {
		c.logf("%v (from %.1f)", o, float64(o.call)/float64(ms))
	}
	answered := o.result.Status == part.OK || o.result.Status == part.NotSwapped
	switch {
	case o.kind == part.Process:
		if answered {
			c.acked = append(c.acked, o.value)
		}
		if answered || o.unknown {
			c.possible = append(c.possible, o.value)
		}
	case answered, o.unknown && o.kind != part.Get:
		c.history = append(c.history, o)
	}
}

func (c *clients) check() {
	byKey := map[string][]porcupine.Operation{}
	for i, o := range c.history {
		keys := []string{o.key}
		if o.kind == part.Clear {
			keys = []string{"key0", "key1", "key2"}
		}
		end := o.end
		if o.unknown {
			end = math.MaxInt64
		}
		for _, key := range keys {
			byKey[key] = append(byKey[key], porcupine.Operation{ClientId: i, Input: o, Call: o.call, Return: end})
		}
	}
	for key, ops := range byKey {
		if res := porcupine.CheckOperationsTimeout(register, ops, 20*time.Second); res == porcupine.Illegal {
			c.fail("the history of %s is not linearizable", key)
		}
	}
}

// simulate runs clients and faults for a while, lets the cluster come to rest, and checks
// it. It returns what is wrong, if anything is.
func simulate(seed uint64, removed rules.Set) (c *clients, wrong string) {
	c = &clients{cluster: newCluster(seed, removed, 3, 2+int(seed%2))}
	defer func() {
		switch f := recover().(type) {
		case nil:
		case failure:
			wrong = string(f)
		default:
			panic(f)
		}
	}()
	stop := false
	c.run(1500 * ms)
	for id := range uint64(4) {
		c.client(id+1, &stop)
	}
	for id := range uint64(3) {
		c.session(id+100, &stop)
	}
	c.fault()
	c.shake()
	c.run(10_000 * ms)
	c.quiet = true
	c.run(2000 * ms)
	stop = true
	for end := c.now + 15_000*ms; c.now < end && (!c.healthy || c.open > 0); {
		c.run(100 * ms)
	}
	c.run(2 * sessionTTL) // until the last sessions have expired
	if !c.healthy || c.open > 0 {
		c.fail("the cluster does not come to rest: %d operations are open, %+v", c.open, c.config.Partitions[0])
	}
	p := &c.config.Partitions[0]
	want := c.find(p.Primary).replica.Stats()
	if want.Uncommitted > 0 || want.Waiting > 0 {
		c.fail("at rest the primary has %+v", want)
	}
	for _, id := range p.InSync {
		if got := c.find(id).replica.Stats(); got.Digest != want.Digest || got.Entries != want.Entries {
			c.fail("member %d has %+v, the primary %+v", id, got, want)
		}
	}
	for i := range 4 {
		req := part.Request{Cache: "cache", Key: fmt.Sprint("key", i), Expires: c.now + opTime}
		if i == 3 {
			req.Cache, req.Key = "lists", "list"
		}
		o := &operation{key: req.Key, call: c.now}
		c.attempt(req, o, func() {
			if o.result.Status != part.OK {
				c.fail("at rest a read ends with status %d", o.result.Status)
			}
			if req.Key != "list" {
				c.history = append(c.history, o)
				return
			}
			c.checkList(strings.SplitAfter(string(o.result.Present.Record), ","))
		})
	}
	c.run(opTime)
	c.check()
	primary := c.find(c.config.Partitions[0].Primary)
	if n, _ := primary.replica.Size(c.time(primary), "sessions"); n != 0 {
		c.fail("%d records that nobody uses are still there", n)
	}
	return c, ""
}

// checkList checks that every value that was appended is there once.
func (c *clients) checkList(list []string) {
	list = list[:len(list)-1]
	count := map[string]int{}
	for _, v := range list {
		if count[v]++; count[v] > 1 {
			c.fail("%s was executed twice", v)
		}
		if !slices.Contains(c.possible, v) {
			c.fail("%s was executed, and its caller was told that it was not", v)
		}
	}
	for _, v := range c.acked {
		if count[v] == 0 {
			c.fail("%s was acknowledged, and is lost", v)
		}
	}
}

func TestSimulation(t *testing.T) {
	if *oneSeed != 0 {
		c, wrong := simulate(*oneSeed, rules.Set(*oneRules))
		t.Log(strings.Join(c.trace, "\n"))
		if wrong != "" {
			t.Error(wrong)
		}
		return
	}
	operations := 0
	for seed := range uint64(*seeds) {
		c, wrong := simulate(seed+1, 0)
		if wrong != "" {
			t.Errorf("seed %d: %s", seed+1, wrong)
		}
		operations += len(c.history) + len(c.acked)
	}
	t.Logf("%d operations", operations)
}

// Each rule that belongs to a replica is needed: without it the simulation finds
// something wrong, in a number of attempts.
func TestSimulationNoticesMissingRules(t *testing.T) {
	for _, rule := range []rules.Set{rules.WaitAll, rules.LearnerAck, rules.Versioned, rules.Lease, rules.Barrier,
		rules.Monotone, rules.NumberedStream, rules.Dedup, rules.RollForward} {
		name := rules.Names[bits.TrailingZeros32(uint32(rule))]
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for seed := range uint64(*attempts) {
				if _, wrong := simulate(seed+1, rule); wrong != "" {
					t.Logf("seed %d: %s", seed+1, wrong)
					return
				}
			}
			t.Errorf("nothing is wrong without %s", name)
		})
	}
}
