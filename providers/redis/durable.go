package redis

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/redis/rueidis"
)

// durableWidth is how many writes are under way at once that wait for replicas: each has a
// connection for itself meanwhile.
const durableWidth = 64

// exchangeDurably makes a request and waits until the replicas have what it wrote.
func (p *Provider) exchangeDurably(ctx context.Context, r request) rueidis.RedisResult {
	done := make(chan rueidis.RedisResult, 1)
	p.calls.Go(func() {
		p.counters.waiting.Add(1)
		defer p.counters.waiting.Add(-1)
		c, release := p.client.Dedicate()
		defer release()
		wait := c.B().Wait().Numreplicas(int64(p.waitFor)).Timeout(p.opts.RequestTimeout.Milliseconds()).Build()
		results := c.DoMulti(ctx, r(c.B()), wait)
		if err := results[0].Error(); err == nil || rueidis.IsRedisNil(err) {
			if err := replicated(results[1], p.waitFor); err != nil {
				done <- rueidis.NewErrorResult(err)
				return
			}
		}
		done <- results[0]
	})
	select {
	case result := <-done:
		return result
	case <-ctx.Done():
		p.link.stir()
		return rueidis.NewErrorResult(ctx.Err())
	}
}

// replicated returns why it is not known that enough replicas have a write. That it was carried out
// is known, but a primary that fails now may take it along.
func replicated(answer rueidis.RedisResult, want int) error {
	if answer.NonRedisError() != nil {
		return answer.NonRedisError()
	}
	n, err := answer.AsInt64()
	if err != nil {
		return errors.New("the server does not say whether replicas have the write")
	}
	if n < int64(want) {
		return fmt.Errorf("the primary has the write, and %d of its replicas, of the %d that durability asks for", n, want)
	}
	return nil
}

// writeAll makes several writes, each on a connection of its own.
func (p *Provider) writeAll(ctx context.Context, rs []request) ([]rueidis.RedisMessage, []error) {
	messages, errs := make([]rueidis.RedisMessage, len(rs)), make([]error, len(rs))
	turns := make(chan struct{}, durableWidth)
	var wg sync.WaitGroup
	for i, r := range rs {
		turns <- struct{}{}
		wg.Go(func() {
			defer func() { <-turns }()
			messages[i], errs[i] = p.write(ctx, r)
		})
	}
	wg.Wait()
	return messages, errs
}
