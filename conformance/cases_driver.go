package conformance

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// driverCases returns the cases on the bare driver.
func driverCases() []testCase {
	return slices.Concat(openCases, readCases, swapCases, tokenCases, batchCases, exchangeCases, touchCases, driverInvokeCases,
		scanCases, clearCases, watchCases, lockCases, expiryCases, contextCases, closeCases, raceCases)
}

var openCases = []testCase{
	{
		name:   "features are as declared",
		rule:   "What a provider cannot do is known: Harness.Lacks names every optional interface that its caches do not have, and no other.",
		source: "package conformance",
		run: func(e *env) {
			for _, f := range (driver.Features{}).Missing() { // all there are
				switch has, lacks := slices.Contains(e.suite.features.List(), f), slices.Contains(e.suite.harness.Lacks, f); {
				case has && lacks:
					e.Errorf("Lacks names %q, but the caches have it: take it off the list", f)
				case !has && !lacks:
					e.Errorf("the caches lack %q; if that is meant, name it in Lacks", f)
				}
			}
		},
	},
	{
		name:   "info is consistent",
		rule:   "Info describes the cache. RequestTimeout is zero only where the records are in this process; a driver that implements Toucher has an ExpiryStep of zero.",
		source: "driver.Info, driver.Toucher",
		run: func(e *env) {
			info := e.open().Info()
			if info.Shared && info.RequestTimeout <= 0 {
				e.Errorf("the records are shared with other processes, but RequestTimeout is %v", info.RequestTimeout)
			}
			if e.suite.features.Toucher != nil && info.ExpiryStep != 0 {
				e.Errorf("the driver implements Toucher, but its ExpiryStep is %v", info.ExpiryStep)
			}
			if info.MaxKeyBytes < 0 || info.MaxRecordBytes < 0 || info.ExpiryStep < 0 {
				e.Errorf("a limit is negative: %+v", info)
			}
		},
	},
	{
		name:   "ping",
		rule:   "Ping reports whether the backend answers.",
		source: "driver.Provider.Ping",
		run:    func(e *env) { e.ok(e.conns[0].Ping(e.ctx)) },
	},
	{
		name:   "a name reaches the same records again",
		rule:   "Opening a name again, in this process or in another one, reaches the same records. Close leaves the records.",
		source: "driver.Provider.OpenCache, driver.Cache.Close",
		run: func(e *env) {
			first, err := e.conns[0].OpenCache(e.ctx, e.name, driver.CacheOptions{})
			e.ok(err)
			a, b := e.pair()
			a.put(key, "one")
			item, found, err := first.Get(e.ctx, key)
			e.equal("read through a cache opened earlier", e.value(textIf(item, found), found, err), "one")
			e.ok(first.Close())
			e.equal("read by another client", b.get(key), "one")
			e.equal("read after another opening was closed", a.get(key), "one")
			e.equal("read after opening again", e.open().get(key), "one")
		},
	},
	{
		name:   "names are separate",
		rule:   "OpenCache gives access to the records of the named cache. Names match [A-Za-z0-9._-]{1,128}.",
		source: "driver.Provider.OpenCache",
		run: func(e *env) {
			long := e.name + strings.Repeat("x", 128-len(e.name))
			names := []string{
				e.name, e.name + "a", e.name + "A", e.name + ".a", e.name + "-a", e.name + "_a", e.name + "..", e.name + "-", "." + e.name,
				long, long[:127], long[:127] + "y",
			}
			var caches []client
			for i, name := range names {
				caches = append(caches, e.openAs(i%2, name))
				caches[i].put(key, name)
			}
			for i, c := range caches {
				e.equal("the record of cache "+names[i], c.get(key), names[i])
			}
			caches[0].delete(key)
			e.equal("another cache after a Delete", caches[1].get(key), names[1])
			// However a name and a key are put together, what comes out is only theirs.
			for i, between := range []string{"", ".", "-", "_"} {
				k := fmt.Sprint(key, i)
				a, b := e.openAs(0, e.name), e.openAs(1, e.name+between+"x")
				a.put("x"+between+k, "one")
				b.put(k, "two")
				e.equal("a key that begins as another cache's name ends", a.get("x"+between+k), "one")
				e.equal("the other cache's key", b.get(k), "two")
			}
		},
	},
	{
		name:   "a closed connection leaves the others alone",
		rule:   "Close releases every connection and waits for every goroutine of the provider. The records of a shared backend stay.",
		source: "driver.Provider.Close",
		run: func(e *env) {
			if !e.suite.info.Shared {
				return
			}
			a := e.open()
			third := e.suite.harness.Connect(e)
			c, err := third.OpenCache(e.ctx, e.name, driver.CacheOptions{})
			e.ok(err)
			e.ok(c.Put(e.ctx, key, record("one"), never))
			e.ok(c.Close())
			e.ok(third.Close(e.ctx))
			e.equal("read by another client after the writer closed its connection", a.get(key), "one")
		},
	},
}

// closeCases are about what a connection leaves.
var closeCases = []testCase{
	{
		name: "close ends every goroutine", rule: ruleCloses.text, source: ruleCloses.source,
		run: func(e *env) {
			use := func() {
				p := e.suite.harness.Connect(e)
				c := e.openOn(auditedProvider{p, e.audit}, e.name)
				for i := range 20 {
					c.put(fmt.Sprint(keyMark, i), "one")
				}
				c.get(key)
				if c.f.Watcher != nil {
					c.watch().stop()
				}
				if c.f.Scanner != nil {
					for range c.f.Scanner.Scan(e.ctx) {
						break
					}
				}
				ctx, cancel := context.WithTimeout(e.ctx, 10*time.Second)
				defer cancel()
				e.ok(c.Close())
				e.ok(p.Close(ctx))
			}
			use() // what a library starts once and for all is nobody's leak
			started := labelled(use)
			var left []string
			for end := time.Now().Add(2 * time.Second); ; e.wait(time.Now().Add(10 * time.Millisecond)) {
				if left = started(); len(left) == 0 {
					return
				}
				if time.Now().After(end) {
					break
				}
			}
			e.Errorf("%d goroutines are left, among them one in %s", len(left), left[0])
		},
	},
}

var readCases = []testCase{
	{
		name:   "get/absent",
		rule:   "A key that was never written or was removed is found == false with a nil error. Removing an absent key is not an error.",
		source: "driver.Cache.Get, driver.Cache.Delete",
		run: func(e *env) {
			c := e.open()
			e.equal("a key that was never written", c.get(key), absent)
			c.delete(key)
			c.put(key, "one")
			c.delete(key)
			e.equal("a key that was removed", c.get(key), absent)
		},
	},
	{
		name:   "put/overwrites",
		rule:   "Put stores a record whatever was there before.",
		source: "driver.Cache.Put",
		run: func(e *env) {
			a, b := e.pair()
			for i := range 20 {
				a.put(key, fmt.Sprint(i))
				e.equal("read after an overwrite", b.get(key), fmt.Sprint(i))
			}
		},
	},
	{
		name:   "put/any record",
		rule:   "A driver never looks inside a record: any bytes up to MaxRecordBytes come back as they were put.",
		source: "driver, package documentation",
		run: func(e *env) {
			a, b := e.pair()
			every := make([]byte, 256)
			for i := range every {
				every[i] = byte(i)
			}
			largest := a.Info().MaxRecordBytes
			if largest == 0 || largest > 2<<20 {
				largest = 2 << 20
			}
			big := make([]byte, largest-driver.WriteIDBytes)
			for i := range big {
				big[i] = byte(e.random.Uint32())
			}
			for what, body := range map[string][]byte{
				"one byte": {0}, "every byte": every, "zeros": make([]byte, 5000), "line ends": []byte("\r\nEND\r\n\x00"), "as large as allowed": big,
			} {
				r := record(string(body))
				e.ok(a.Put(e.ctx, keyMark+what, r, never))
				if got := b.item(keyMark + what).Record; !bytes.Equal(got, r) {
					e.Errorf("a record of %s came back with %d bytes for %d, or with others", what, len(got), len(r))
				}
			}
		},
	},
	{
		name:   "put/any key",
		rule:   "Keys are non-empty and no longer than MaxKeyBytes; two keys that differ in any byte are two keys.",
		source: "driver, package documentation",
		run: func(e *env) {
			a, b := e.pair()
			longest := a.Info().MaxKeyBytes
			if longest == 0 {
				longest = 10_000
			}
			long := strings.Repeat("k", longest-1)
			keys := []string{
				"k", "K", " ", "k ", " k", "k k", "k\x00", "\x00", "k\n", "k\r\n", "\x7f", "k:1", "k#1", "k/1", "k%201", "ключ", "é", "e\u0301", "鍵", "🔑",
				"\xff\xfe", "\xfe\xff", "\xff", "?", "\ufffd", strings.Repeat("k", 200), strings.Repeat("k", 249), strings.Repeat("k", 250), strings.Repeat("k", 251), long + "1", long + "2",
			}
			keys = slices.DeleteFunc(keys, func(k string) bool { return len(k) > longest })
			for _, k := range keys {
				a.put(k, "at "+k)
			}
			for _, k := range keys {
				if got := b.get(k); got != "at "+k {
					e.Errorf("under the key %.20q (%d bytes) is %.30q", k, len(k), got)
				}
			}
			a.delete(long + "1")
			e.equal("a key that differs in its last byte from one that was removed", b.get(long+"2"), "at "+long+"2")
		},
	},
	{
		name:   "every write is seen by every client",
		rule:   "A record is readable as soon as the call that wrote it returned, by every client, and gone as soon as the call that removed it returned.",
		source: "driver contract 3",
		run: func(e *env) {
			a, b := e.pair()
			for i := range 100 {
				one, two := fmt.Sprint("put ", i), fmt.Sprint("swap ", i)
				a.put(key, one)
				e.equal("Get after another client's Put", b.get(key), one)
				if swapped, _ := b.swap(key, b.item(key).Token, two); !swapped {
					e.Fatalf("a swap with the present token failed")
				}
				e.equal("Get after another client's Swap", a.get(key), two)
				if a.f.BatchGetter != nil {
					e.equal("GetBatch after another client's Swap", a.batch(key, otherKey), map[string]string{key: two})
				}
				b.delete(key)
				e.equal("Get after another client's Delete", a.get(key), absent)
				if swapped, _ := b.swap(key, driver.Token{}, one); !swapped {
					e.Fatalf("a swap of an absent key failed")
				}
				if swapped, _ := a.swap(key, a.item(key).Token, ""); !swapped {
					e.Fatalf("a removing swap with the present token failed")
				}
				e.equal("Get after another client's removing Swap", b.get(key), absent)
			}
		},
	},
}
