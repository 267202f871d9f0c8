package conformance

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// invokeDefects break the execution of processors.
var invokeDefects = []defect{
	{"an invoke that takes effect twice", "invoke/does what the processor decides", func(b *broken) {
		b.breakInvoke(func(_ context.Context, _ string, _ decideFunc, call callFunc) ([]byte, error) {
			output, err := call()
			if err == nil {
				_, err = call()
			}
			return output, err
		})
	}},
	{"an invoke that now and then takes effect twice", "invoke/each call takes effect once", func(b *broken) {
		var n atomic.Int64
		b.breakInvoke(func(_ context.Context, _ string, _ decideFunc, call callFunc) ([]byte, error) {
			output, err := call()
			if err == nil && n.Add(1)%50 == 0 {
				_, err = call()
			}
			return output, err
		})
	}},
	{"an invoke that loses the output", "invoke/does what the processor decides", func(b *broken) {
		b.breakInvoke(func(_ context.Context, _ string, _ decideFunc, call callFunc) ([]byte, error) {
			_, err := call()
			return nil, err
		})
	}},
	{"an invoke that gives the output of another run", "invoke/each call takes effect once", func(b *broken) {
		b.breakInvoke(func(_ context.Context, _ string, decide decideFunc, call callFunc) ([]byte, error) {
			_, d := decide()
			<-time.After(100 * time.Microsecond) // where another client comes in between
			_, err := call()
			return d.Output, err
		})
	}},
	{"an invoke in two steps", "invoke/each call takes effect once", func(b *broken) {
		b.breakInvoke(func(ctx context.Context, key string, decide decideFunc, call callFunc) ([]byte, error) {
			_, d := decide()
			if d.Change != driver.ChangeStore {
				return call()
			}
			<-time.After(100 * time.Microsecond) // likewise
			return d.Output, b.Cache.Put(ctx, key, d.Record, d.Deadline)
		})
	}},
	{"an invoke that stores without a deadline", "invoke/deadlines", func(b *broken) {
		b.breakInvoke(func(ctx context.Context, key string, decide decideFunc, call callFunc) ([]byte, error) {
			_, d := decide()
			if d.Change != driver.ChangeStore {
				return call()
			}
			return d.Output, b.Cache.Put(ctx, key, d.Record, never)
		})
	}},
	{"an invoke that stores to move a deadline", "invoke/deadlines", func(b *broken) {
		b.breakInvoke(func(ctx context.Context, key string, decide decideFunc, call callFunc) ([]byte, error) {
			item, d := decide()
			if d.Change != driver.ChangeRetime {
				return call()
			}
			return d.Output, b.Cache.Put(ctx, key, item.Record, d.Deadline)
		})
	}},
	{"an unknown processor that does nothing", "invoke/an unknown processor", func(b *broken) {
		invoke := b.f.Invoker
		b.f.Invoker = invokeFunc(func(ctx context.Context, key, processor string, args []byte) ([]byte, error) {
			output, err := invoke.Invoke(ctx, key, processor, args)
			if errors.Is(err, driver.ErrNoProcessor) {
				err = nil
			}
			return output, err
		})
	}},
}
