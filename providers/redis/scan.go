package redis

import (
	"context"
	"iter"
	"strings"

	"github.com/redis/rueidis"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// scanStep is how many keys the server looks at for one answer, and about how many records a scan
// reads at once.
const scanStep = 500

// names yields the names on the servers that match a pattern, page by page. A server may tell one
// more than once.
func (p *Provider) names(ctx context.Context, pattern string) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		primaries, err := p.primaries(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, server := range primaries {
			for cursor, more := uint64(0), true; more; more = cursor != 0 {
				page, err := p.page(ctx, server.client, pattern, cursor)
				if err != nil {
					yield(nil, err)
					return
				}
				if len(page.Elements) > 0 && !yield(page.Elements, nil) {
					return
				}
				cursor = page.Cursor
			}
		}
	}
}

// page asks a server for some of its names.
func (p *Provider) page(ctx context.Context, server rueidis.Client, pattern string, cursor uint64) (rueidis.ScanEntry, error) {
	m, err := p.readOn(ctx, server, func(b rueidis.Builder) rueidis.Completed {
		return b.Scan().Cursor(cursor).Match(pattern).Count(scanStep).Build()
	})
	if err != nil {
		return rueidis.ScanEntry{}, err
	}
	return m.AsScanEntry()
}

// keys yields the keys of the cache, page by page, each once. It remembers those that it has seen.
func (c *cache) keys(ctx context.Context) iter.Seq2[[]string, error] {
	return func(yield func([]string, error) bool) {
		l, err := c.generation(ctx)
		if err != nil {
			yield(nil, err)
			return
		}
		seen := make(map[string]struct{})
		for names, err := range c.provider.names(ctx, l.head+"*") {
			if err != nil {
				yield(nil, err)
				return
			}
			page := make([]string, 0, len(names))
			for _, name := range names {
				key := strings.TrimPrefix(name, l.head)
				if _, again := seen[key]; !again {
					seen[key] = struct{}{}
					page = append(page, key)
				}
			}
			if !yield(page, nil) {
				return
			}
		}
	}
}

// Scan implements driver.Scanner. It remembers the keys that it has yielded, since the server may
// tell one more than once.
func (c *cache) Scan(ctx context.Context) iter.Seq2[driver.Item, error] {
	return func(yield func(driver.Item, error) bool) {
		for page, err := range c.keys(ctx) {
			var items []driver.Item
			if err == nil {
				items, err = c.GetBatch(ctx, page)
			}
			if err != nil {
				yield(driver.Item{}, err)
				return
			}
			for _, one := range items {
				if !yield(one, nil) {
					return
				}
			}
		}
	}
}

// Size implements driver.Sizer. It looks at every key of the servers.
func (c *cache) Size(ctx context.Context) (n int, err error) {
	for page, err := range c.keys(ctx) {
		if err != nil {
			return 0, err
		}
		n += len(page)
	}
	return n, nil
}
