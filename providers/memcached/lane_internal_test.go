package memcached

import (
	"bufio"
	"context"
	"errors"
	"net"
	"testing"

	"github.com/bradfitz/gomemcache/memcache"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// TestLaneKnowsWhatWasSent: a write that fails has certainly done nothing only if
// nothing of it was sent.
func TestLaneKnowsWhatWasSent(t *testing.T) {
	set := func(c *memcache.Client) error { return c.Set(&memcache.Item{Key: "k", Value: []byte("x")}) }
	for _, test := range []struct {
		name string
		sent bool
	}{{"closed before", false}, {"closed after", true}} {
		t.Run(test.name, func(t *testing.T) {
			ours, theirs := net.Pipe()
			done := make(chan struct{})
			go func() {
				if test.sent {
					_, _ = bufio.NewReader(theirs).ReadString('\n')
				}
				_ = theirs.Close()
				close(done)
			}()
			if !test.sent {
				<-done
			}
			l := newLane(&server{addr: "cache:11211", picked: address("cache:11211")}, &conn{Conn: ours, raw: ours, traits: traits{limit: defaultLimit}})
			// What an earlier request has sent does not count.
			l.conn.sent = true
			err := l.write(context.Background(), set)
			if errors.Is(err, driver.ErrIndeterminate) != test.sent || errors.Is(err, driver.ErrUnavailable) == test.sent {
				t.Errorf("sent: %v, but the error is: %v", test.sent, err)
			}
			l.conn.hangUp()
			<-done
		})
	}
}
