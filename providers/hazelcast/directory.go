package hazelcast

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	hz "github.com/hazelcast/hazelcast-go-client"
	"github.com/hazelcast/hazelcast-go-client/types"
)

// A directory knows a key of each member's, one whose entries that member keeps. Which member
// that is depends on the key alone and not on the map, and the client does not tell; but an
// event of an entry names the member that it happened on. So some entries are written to a map
// that is listened to.
type directory struct {
	turn chan struct{} // full while it is being made

	mu        sync.Mutex
	known     map[types.UUID]string // a key of each member's; nil: not all are known
	changes   int                   // of the members, until which it was made
	listening *hz.Client
	owners    map[types.UUID]string
	told      chan struct{} // closed when all members are known
	members   int
}

const (
	// keysPerMember are tried to find one of each member's, and of a client with a single
	// connection, to which all events seem to happen at its member, blindKeysPerMember are
	// probed: of two members one has none of them in one of 65,000 cases.
	keysPerMember, blindKeysPerMember = 16, 8
	// eventTimeout is how long events may take.
	eventTimeout = time.Second
	// strayTTL is how long the entries stay that are written for their events.
	strayTTL = shortestTTL
)

// keys returns a key of each member's, or more.
func (p *Provider) keys(ctx context.Context) ([]string, error) {
	if p.plan.client.Cluster.Unisocket {
		members, _ := p.members.count()
		return probeKeys(blindKeysPerMember * members), nil
	}
	d := &p.directory
	select {
	case d.turn <- struct{}{}:
		defer func() { <-d.turn }()
	case <-ctx.Done():
		return nil, notSent(ctx.Err())
	}
	members, changes := p.members.count()
	d.mu.Lock()
	if d.known != nil && d.changes == changes {
		defer d.mu.Unlock()
		return slices.Collect(maps.Values(d.known)), nil
	}
	d.owners, d.told, d.members = make(map[types.UUID]string), make(chan struct{}), members
	told := d.told
	d.mu.Unlock()
	if err := p.listenToOwners(ctx); err != nil {
		return nil, err
	}
	tried := probeKeys(keysPerMember * members)
	errs := make([]error, len(tried))
	parallel(len(tried), func(i int) {
		errs[i] = p.locks.write(ctx, func(ctx context.Context, m *hz.Map) error {
			return m.SetWithTTL(ctx, tried[i], []byte("probe"), strayTTL)
		})
	})
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	select {
	case <-told:
	case <-time.After(eventTimeout):
	case <-ctx.Done():
		return nil, notSent(ctx.Err())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.owners) < members {
		// One has no entries yet, or events were lost: so all are tried, this time.
		return tried, nil
	}
	d.known, d.changes = d.owners, changes
	return slices.Collect(maps.Values(d.known)), nil
}

// each returns a key of each member's, by the member's address, as far as they are known.
func (d *directory) each(m *members) map[string]string {
	d.mu.Lock()
	known := maps.Clone(d.known)
	d.mu.Unlock()
	m.mu.Lock()
	defer m.mu.Unlock()
	keys := make(map[string]string)
	for id, key := range known {
		if addr, here := m.all[id]; here {
			keys[addr] = key
		}
	}
	return keys
}

func probeKeys(n int) []string {
	keys := make([]string, n)
	for i := range keys {
		keys[i] = probePrefix + types.NewUUID().String()
	}
	return keys
}

// forget has the keys found anew: members give entries to one that has joined.
func (d *directory) forget() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.known = nil
}

// listenToOwners adds a listener that the client has until it ends.
func (p *Provider) listenToOwners(ctx context.Context) error {
	d, client := &p.directory, p.client.Load()
	d.mu.Lock()
	listening := d.listening == client
	d.mu.Unlock()
	if listening {
		return nil
	}
	m, err := p.locks.open(ctx)
	if err != nil {
		return err
	}
	if _, err := m.AddListener(ctx, hz.MapListener{EntryAdded: d.heard}, false); err != nil {
		return readError(ctx, err)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.listening = client
	return nil
}

// heard takes in whose a key is.
func (d *directory) heard(e *hz.EntryNotified) {
	key, ok := e.Key.(string)
	d.mu.Lock()
	defer d.mu.Unlock()
	if !ok || !isProbe(key) || e.Member.UUID.Default() || len(d.owners) == d.members {
		return
	}
	if d.owners[e.Member.UUID] = key; len(d.owners) == d.members {
		close(d.told)
	}
}
