package hazelcast

import (
	"context"
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
	keys      []string // one of each member's
	changes   int      // of the members, until which it was made
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
	// eventPatience is how long events may take.
	eventPatience = time.Second
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
	known := len(d.keys) > 0 && d.changes == changes
	d.owners, d.told, d.members = make(map[types.UUID]string), make(chan struct{}), members
	keys, told := d.keys, d.told
	d.mu.Unlock()
	if known {
		return keys, nil
	}
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
	case <-time.After(eventPatience):
	case <-ctx.Done():
		return nil, notSent(ctx.Err())
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if len(d.owners) < members {
		// One has no entries yet, or events were lost: so all are tried, this time.
		return tried, nil
	}
	d.keys, d.changes = nil, changes
	for _, key := range d.owners {
		d.keys = append(d.keys, key)
	}
	return d.keys, nil
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
	d.keys = nil
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
