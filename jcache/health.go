package jcache

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Health is what a manager knows of its provider and of its servers.
type Health = driver.Health

// Difference is something in which two processes of a fleet differ.
type Difference = driver.Difference

// Server is one of the servers that a provider connects to.
type Server = driver.Server

// Measure is a number that a provider knows of itself.
type Measure = driver.Measure

// Health returns how the provider is, as far as it is known without asking anybody. It is
// the one definition of two words:
//
// Ready: operations are carried out as configured. A process that is not ready should get
// no requests.
//
// Safe: it is ready, every entry has the copies that it should have, none was lost, and
// this process is not alone where it should have company. Then the next process of a
// fleet may be restarted. Where entries are not kept in the processes, who is ready is
// safe.
func (m *CacheManager) Health() Health {
	if !m.gate.Enter() {
		return Health{Unready: []string{"the connection is closed"}}
	}
	defer m.gate.Leave()
	return m.link.health()
}

// Reached reports whether the provider has been reached since the manager was opened. It is false only
// where the setting whenDown let it start without its provider.
func (m *CacheManager) Reached() bool { return m.link.provider() != nil }

// Measures returns what the provider knows of itself in numbers, without asking anybody. It
// is nil for a provider that has none, and for a closed manager. Package metrics gives them
// to Prometheus.
func (m *CacheManager) Measures() []Measure {
	if !m.gate.Enter() {
		return nil
	}
	defer m.gate.Leave()
	if conn, ok := m.link.provider().(driver.Measurer); ok {
		return conn.Measures()
	}
	return nil
}

// Safe reports whether the next process of a fleet may be restarted: Health().Safe().
func (m *CacheManager) Safe() bool { return m.Health().Safe() }

// AwaitSafe waits until Safe holds. A server that does so before it says that it is ready
// can be followed by the next one's restart. If ctx ends first, the error says why it is
// not safe.
func (m *CacheManager) AwaitSafe(ctx context.Context) error {
	tick := time.NewTicker(safePoll)
	defer tick.Stop()
	for {
		h := m.Health()
		if h.Safe() {
			return nil
		}
		if m.Closed() {
			return m.fail("await safe", "", ErrClosed)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return m.fail("await safe", "", fmt.Errorf("%s: %w", strings.Join(h.Reasons(), "; "), ctx.Err()))
		}
	}
}

const safePoll = 10 * time.Millisecond

// LeaveTimeout returns how long Close may take to hand entries over to other processes;
// zero where nothing is handed over.
func (m *CacheManager) LeaveTimeout() time.Duration {
	if l, ok := m.link.provider().(driver.Leaver); ok {
		return l.LeaveTimeout()
	}
	return 0
}

// Rejoined returns when the provider may last have put together what parts of a split network
// had served apart, as far as this process can know. It then kept one of two entries of a key,
// as a rule the one that was written last, and whatever one part had removed and the other one
// had not is there again. ok is false if this provider does no such thing; one that has not been reached yet may.
func (m *CacheManager) Rejoined() (at time.Time, ok bool) {
	conn := m.link.provider()
	s, ok := conn.(driver.Splitter)
	if !ok {
		return time.Time{}, conn == nil
	}
	return s.Rejoined(), true
}
