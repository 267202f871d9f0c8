package redis

import (
	"context"
	"slices"
	"sync"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// A hearing is a connection to each primary, on which it says what it has done.
//
// In a cluster the servers pass on to each other what is published, without a promise that it arrives. So
// what concerns a key is heard from the primary that has it, which has published it, and what the
// others pass on of it is ignored.
type hearing struct {
	primaries []primary
	lost      chan struct{} // has one when a connection has ended
	ends      []func()
}

// close ends the connections. It can be called for no hearing.
func (h *hearing) close() {
	if h == nil {
		return
	}
	for _, end := range h.ends {
		end()
	}
	h.ends = nil
}

// listen connects to each primary.
func (f *feed) listen(ctx context.Context) (*hearing, error) {
	p := f.cache.provider
	primaries, err := p.primaries(ctx)
	if err != nil {
		return nil, err
	}
	h := &hearing{primaries: primaries, lost: make(chan struct{}, 1)}
	for i := range primaries {
		if err := f.listenTo(ctx, h, &primaries[i]); err != nil {
			h.close()
			return nil, err
		}
	}
	return h, nil
}

// A line is a connection on which a server tells something.
type line struct {
	end  func()
	lost <-chan error
	err  error
}

// listenTo connects to a primary. The client does not know of contexts while it connects.
func (f *feed) listenTo(ctx context.Context, h *hearing, from *primary) error {
	p := f.cache.provider
	done := make(chan line, 1)
	p.calls.Go(func() {
		done <- p.subscribe(from.client, f.cache.channel(), func(message string) { f.heard(from, message) })
	})
	select {
	case <-ctx.Done():
		p.calls.Go(func() {
			if l := <-done; l.err == nil {
				l.end()
			}
		})
		return failure(ctx, ctx.Err(), false)
	case l := <-done:
		if l.err != nil {
			if a, refused := refusal(l.err); refused {
				return a.err()
			}
			return failure(ctx, l.err, false)
		}
		h.ends = append(h.ends, l.end)
		p.calls.Go(func() {
			<-l.lost
			select {
			case h.lost <- struct{}{}:
			default:
			}
		})
		return nil
	}
}

// subscribe makes a connection on which a server tells what is published on a channel. It is one of its own, since
// a watcher who is slow would hold up the calls on any other.
func (p *Provider) subscribe(server rueidis.Client, channel string, on func(message string)) line {
	ctx, cancel := context.WithTimeout(p.life, p.opts.ConnectTimeout+p.opts.RequestTimeout)
	defer cancel()
	c, release := server.Dedicate()
	end := sync.OnceFunc(func() { c.Close(); release() })
	lost := c.SetPubSubHooks(rueidis.PubSubHooks{OnMessage: func(m rueidis.PubSubMessage) { on(m.Message) }})
	if err := c.Do(ctx, c.B().Subscribe().Channel(channel).Build()).Error(); err != nil {
		end()
		return line{err: err}
	}
	return line{end: end, lost: lost}
}

// heard takes in a message of a primary.
func (f *feed) heard(from *primary, message string) {
	t, err := parseTold(message)
	if err != nil {
		return // somebody else's
	}
	c := f.cache
	if from.slots != nil {
		name := c.headOf(t.generation) + t.key
		if t.kind == toldCleared {
			name = c.generationKey()
		}
		if !from.has(c.provider.slotOf(name)) {
			return
		}
	}
	f.hear(t)
}

// unchanged reports whether the primaries are still those that are heard, as far as is known.
func (f *feed) unchanged(ctx context.Context, h *hearing) bool {
	ctx, cancel := context.WithTimeout(ctx, watchEvery)
	defer cancel()
	now, err := f.cache.provider.primaries(ctx)
	return err != nil || slices.EqualFunc(now, h.primaries, primary.sameAs)
}

var _ driver.Watcher = (*cache)(nil)
