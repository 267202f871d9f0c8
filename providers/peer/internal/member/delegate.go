package member

import (
	"github.com/hashicorp/memberlist"
)

// A delegate is what memberlist calls. It holds its lock meanwhile.
type delegate struct{ a *Agent }

// NodeMeta implements memberlist.Delegate.
func (d delegate) NodeMeta(int) []byte {
	d.a.mu.Lock()
	defer d.a.mu.Unlock()
	return d.a.meta
}

// NotifyMsg implements memberlist.Delegate.
func (delegate) NotifyMsg([]byte) {}

// GetBroadcasts implements memberlist.Delegate.
func (delegate) GetBroadcasts(int, int) [][]byte { return nil }

// LocalState implements memberlist.Delegate.
func (delegate) LocalState(bool) []byte { return nil }

// MergeRemoteState implements memberlist.Delegate.
func (delegate) MergeRemoteState([]byte, bool) {}

// NotifyAlive implements memberlist.AliveDelegate: what cannot be read is ignored.
func (d delegate) NotifyAlive(n *memberlist.Node) error {
	id, err := parseName(n.Name)
	if err != nil {
		return err
	}
	m, err := parseMeta(n.Meta)
	if err != nil {
		return err
	}
	if id != d.a.self {
		d.a.net.learn(id, m.Addr)
	}
	return nil
}

// NotifyJoin implements memberlist.EventDelegate.
func (d delegate) NotifyJoin(n *memberlist.Node) {
	id, err := parseName(n.Name)
	if err != nil || id == d.a.self {
		return
	}
	if m, err := parseMeta(n.Meta); err == nil {
		d.a.met(id, m)
	}
}

// NotifyUpdate implements memberlist.EventDelegate.
func (d delegate) NotifyUpdate(n *memberlist.Node) { d.NotifyJoin(n) }

// NotifyLeave implements memberlist.EventDelegate.
func (d delegate) NotifyLeave(n *memberlist.Node) {
	if id, err := parseName(n.Name); err == nil && id != d.a.self {
		d.a.lost(id)
	}
}
