package main_test

import (
	"fmt"
	"net"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
)

// A member is a keepsake peer as a process.
type member struct {
	*servers.Process
	addr, health string
}

// free returns loopback addresses that nobody listens at.
func free(t *testing.T, n int) []string {
	t.Helper()
	addrs := make([]string, n)
	for i := range addrs {
		var err error
		if addrs[i], err = servers.FreeAddr(); err != nil {
			t.Fatal(err)
		}
	}
	return addrs
}

// startMember starts a member that listens at an address, with more properties.
func startMember(t *testing.T, addr, join string, properties ...string) *member {
	t.Helper()
	m := &member{addr: addr, health: free(t, 1)[0]}
	dir := files(t, map[string]string{"peer.yaml": fmt.Sprintf("cacheManager: {provider: peer, properties: {listen: [%q], join: [%s], joinTimeout: 300ms%s}}",
		addr, join, strings.Join(append([]string{""}, properties...), ", "))})
	cmd := exec.Command(binary, "peer", "--config", "peer.yaml", "--metrics", m.health)
	cmd.Dir = dir
	var err error
	if m.Process, err = servers.StartCommand(cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Kill)
	return m
}

// await waits until /healthz has a status and a text.
func (m *member) await(t *testing.T, status int, text string) {
	t.Helper()
	var last string
	within(t, 20*time.Second, func() string { return fmt.Sprintf("it says %s\n%s", last, m.Output()) }, func() bool {
		got, body, err := fetch(t, "http://"+m.health+"/healthz")
		last = fmt.Sprint(got, " ", body, err)
		return err == nil && got == status && strings.Contains(body, text)
	})
}

// awaitLine waits until a line of the log matches.
func (m *member) awaitLine(t *testing.T, pattern string) {
	t.Helper()
	line := regexp.MustCompile(pattern)
	within(t, 20*time.Second, func() string { return fmt.Sprintf("no line matches %s:\n%s", pattern, m.Output()) },
		func() bool { return line.MatchString(m.Output()) })
}

// awaitMetrics waits until the metrics have lines that match.
func (m *member) awaitMetrics(t *testing.T, patterns ...string) {
	t.Helper()
	var last string
	within(t, 20*time.Second, func() string { return "the metrics are\n" + last }, func() bool {
		_, body, err := fetch(t, "http://"+m.health+"/metrics")
		last = body
		return err == nil && !slices.ContainsFunc(patterns, func(p string) bool { return !regexp.MustCompile("(?m)" + p).MatchString(body) })
	})
}

func within(t *testing.T, limit time.Duration, otherwise func() string, holds func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(limit); !holds(); <-tick.C {
		if time.Now().After(end) {
			t.Fatalf("after %v: %s", limit, otherwise())
		}
	}
}

// greet starts a service that speaks first, and returns its address.
func greet(t *testing.T, text string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = c.Write([]byte(text)) // who came may be gone
			t.Cleanup(func() { _ = c.Close() })
		}
	}()
	return l.Addr().String()
}

const plain = "plaintext: true"

// TestAMemberAloneAgainstItsConfigurationIsNotSafe: whatever is the reason for which it finds
// nobody, it says so, in the log and in its health.
func TestAMemberAloneAgainstItsConfigurationIsNotSafe(t *testing.T) {
	memcached := servertest.Memcached(t)
	greeter := greet(t, "220 mail.example.org ESMTP\r\n")
	const secret = "secret: known to the members"
	for _, test := range []struct{ name, join, trust, why string }{
		{"unresolvable", `"nosuch.example.invalid:7801"`, secret, "nosuch.example.invalid:7801: the name does not resolve"},
		{"refused", fmt.Sprintf("%q", free(t, 1)[0]), plain, "nobody listens there"},
		{"another protocol that waits", fmt.Sprintf("%q", memcached.Addr), plain, "somebody listens there and does not answer as a member does"},
		{"another protocol that answers", fmt.Sprintf("%q", greeter), plain, "does not speak the protocol of the grid"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			m := startMember(t, free(t, 1)[0], test.join, test.trust)
			m.await(t, 503, "not safe: this member is alone, and join names")
			m.await(t, 503, test.why)
			m.awaitLine(t, `WARN keepsake: no other process of the fleet may be restarted.*`+regexp.QuoteMeta(test.why))
			if strings.Contains(m.Output(), "\nready\n") {
				t.Errorf("it says that it is ready:\n%s", m.Output())
			}
		})
	}
	t.Run("nobody else is named", func(t *testing.T) {
		addr := free(t, 1)[0]
		startMember(t, addr, fmt.Sprintf("%q", addr), plain).await(t, 200, "ok")
	})
}

// TestTooFewCopiesToWriteIsNotReady: minCopies can only be had in company.
func TestTooFewCopiesToWriteIsNotReady(t *testing.T) {
	addrs := free(t, 2)
	join := fmt.Sprintf("%q, %q", addrs[0], addrs[1])
	a := startMember(t, addrs[0], join, plain, "minCopies: 2")
	a.await(t, 503, "not ready: writes to 271 of 271 partitions wait: minCopies is 2")
	b := startMember(t, addrs[1], join, plain, "minCopies: 2")
	a.await(t, 200, "ok")
	b.await(t, 200, "ok")
	b.Kill()
	a.await(t, 503, "not ready: writes to 271 of 271 partitions wait: minCopies is 2")
}

// TestEveryMemberTellsOfEachChange, and who has lost partitions is not safe.
func TestEveryMemberTellsOfEachChange(t *testing.T) {
	addrs := free(t, 3)
	join := fmt.Sprintf("%q, %q, %q", addrs[0], addrs[1], addrs[2])
	var m [3]*member
	for i := range m {
		m[i] = startMember(t, addrs[i], join, plain)
		m[i].awaitLine(t, `"?peer: this process is a member"?.*address=`+regexp.QuoteMeta(addrs[i])+`.* domain=keepsake members=.*version=`)
	}
	for i := range m {
		m[i].await(t, 200, "ok")
	}
	for i := range 2 {
		m[i].awaitLine(t, `INFO.*peer: a member has joined.*member=`+regexp.QuoteMeta(addrs[2])+` members=.*`+regexp.QuoteMeta(addrs[2]))
	}
	m[2].Terminate()
	for i := range 2 {
		m[i].awaitLine(t, `INFO.*peer: a member is gone.*member=`+regexp.QuoteMeta(addrs[2])+` why="it has handed over and ended" members=`)
	}
	m[2] = startMember(t, addrs[2], join, plain)
	for i := range m {
		m[i].await(t, 200, "ok")
	}
	for i := range m { // each holds partitions that the two others do not
		m[i].awaitMetrics(t, `handoffs{domain="keepsake"} 0$`, `primary_partitions{domain="keepsake"} [5-9]\d$|primary_partitions{domain="keepsake"} 1\d\d$`)
	}
	both := []*member{m[1], m[2]}
	for _, one := range both {
		if err := one.Pause(); err != nil { // so that both end at once
			t.Fatal(err)
		}
	}
	for _, one := range both {
		one.Kill()
	}
	for _, addr := range addrs[1:] {
		m[0].awaitLine(t, `WARN.*peer: a member is gone.*member=`+regexp.QuoteMeta(addr)+` why="it does not answer" members=`)
	}
	m[0].awaitLine(t, `ERROR.*peer: partitions were lost.*partitions=\d+ of=271`)
	m[0].await(t, 503, "partitions were lost with all their copies")
	m[1] = startMember(t, addrs[1], join, plain)
	m[1].await(t, 200, "ok")
	m[0].await(t, 503, "partitions were lost with all their copies") // company does not bring them back
	if strings.Contains(m[0].Output(), "memberlist") {
		t.Errorf("lines of the gossip's library:\n%s", m[0].Output())
	}
}
