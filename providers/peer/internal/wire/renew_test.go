package wire_test

import (
	"errors"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire"
	"github.com/keepsake-cache/keepsake/providers/peer/internal/wire/wiretest"
)

// After a cut, what was sent in it arrives as late as TCP has it. A fresh connection does not wait
// for that, and what waits on the old ones is given up, to be sent again.
func TestRenew(t *testing.T) {
	bubble(t, func(t *testing.T, n *wiretest.Network) {
		a, b := start(t, n, 1), start(t, n, 2)
		p := a.Peer(2, b.addr)
		if _, err := p.Call(t.Context(), wire.Data, echo, []byte("before")); err != nil {
			t.Fatal(err)
		}
		const cut = 4 * time.Second
		n.Isolate(b.addr)
		waiting := make(chan error, 1)
		go func() {
			_, err := p.Call(t.Context(), wire.Data, echo, []byte("in the cut"))
			waiting <- err
		}()
		a.Renew(2)
		time.Sleep(cut)
		a.Renew(3) // nobody
		n.Rejoin(b.addr)
		began := time.Now()
		a.Renew(2)
		if err := <-waiting; !errors.Is(err, wire.ErrBroken) {
			t.Errorf("what waited ended with %v", err)
		}
		for _, class := range []wire.Class{wire.Control, wire.Data, wire.Bulk} {
			if got, err := p.Call(t.Context(), class, echo, []byte("after")); err != nil || string(got) != "after" {
				t.Errorf("class %d: %q, %v", class, got, err)
			}
		}
		if took := time.Since(began); took > cut/2 {
			t.Errorf("it took %v", took)
		}
		a.Forget(2)
		p.Renew()
		time.Sleep(time.Second)
		if _, err := p.Call(t.Context(), wire.Control, echo, nil); !errors.Is(err, wire.ErrNotSent) {
			t.Errorf("a peer that was forgotten is back: %v", err)
		}
	})
}
