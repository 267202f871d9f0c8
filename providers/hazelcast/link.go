package hazelcast

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A link knows whether calls can be made: whether the client has any connection, or whether the
// members have merged. Without a connection the client makes calls spin until their context ends, and what
// is left of a write then is an unknown outcome. A call that waits here instead has sent
// nothing. A new link is up.
type link struct {
	why  error // calls fail while it is down
	mu   sync.Mutex
	lost time.Time     // when it went down
	back chan struct{} // closed when it is up again; nil: it is up
}

// down reports whether the link was up before.
func (l *link) down() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back != nil {
		return false
	}
	l.lost, l.back = time.Now(), make(chan struct{})
	return true
}

// up reports whether the link was down before.
func (l *link) up() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.back == nil {
		return false
	}
	close(l.back)
	l.back = nil
	return true
}

func (l *link) isDown() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.back != nil
}

var (
	errNoConnection = errors.New("there is no connection to the cluster")
	errApart        = errors.New("a member that the others had expelled is back, and they merge what they have")
)

// await returns when the link is up. Calls wait no longer than timeout after it went
// down; from then on they fail at once, so that an outage does not pile up callers.
func (l *link) await(ctx context.Context, timeout time.Duration) error {
	l.mu.Lock()
	lost, back := l.lost, l.back
	l.mu.Unlock()
	if back == nil {
		return nil
	}
	over := time.NewTimer(time.Until(lost.Add(timeout)))
	defer over.Stop()
	select {
	case <-back:
		return nil
	case <-over.C:
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, l.why)
	case <-ctx.Done():
		return fmt.Errorf("%w: %w", l.why, notSent(ctx.Err()))
	}
}
