package configfile_test

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	_ "github.com/keepsake-cache/keepsake/providers"
	"github.com/keepsake-cache/keepsake/providers/memory"
)

// openConnections counts the connections to the provider counted.
var openConnections atomic.Int64

type counted struct{ driver.Provider }

// countedHealth is how it is; nil: nothing bad is known.
var countedHealth atomic.Pointer[driver.Health]

func (c counted) Health() (h driver.Health) {
	if p := countedHealth.Load(); p != nil {
		h = *p
	}
	return h
}

func (c counted) Close(ctx context.Context) error {
	openConnections.Add(-1)
	return c.Provider.Close(ctx)
}

func init() {
	jcache.Register(driver.Definition{
		Name: "counted",
		Doc:  "Counts its connections.",
		Open: func(context.Context, driver.Config) (driver.Provider, error) {
			p, err := memory.Connect(memory.Options{})
			openConnections.Add(1)
			return counted{p}, err
		},
	})
}

// The provider odd has settings of every kind, and cannot be opened.
func init() {
	jcache.Register(driver.Definition{
		Name: "odd",
		Doc:  "Has settings of every kind.",
		URI:  "any file",
		Settings: []driver.Setting{
			{Name: "text", Doc: "A text."},
			{Name: "number", Kind: driver.KindInt, Min: -10, Max: 10, Default: "5", Doc: "A number."},
			{Name: "flag", Kind: driver.KindBool, Doc: "A flag."},
			{Name: "wait", Kind: driver.KindDuration, Default: "1s", Min: int64(time.Millisecond), Doc: "A time."},
			{Name: "ticks", Kind: driver.KindDuration, Unit: time.Millisecond, Default: "-1", Doc: "A time in milliseconds."},
			{Name: "size", Kind: driver.KindSize, Default: "1MiB", Max: 1 << 30, Doc: "A size."},
			{Name: "list", Kind: driver.KindList, Default: "p, q", Doc: "A list."},
			{Name: "file", Kind: driver.KindFile, Doc: "A file."},
			{Name: "secret", Secret: true, Doc: "A secret."},
			{Name: "pin", Kind: driver.KindInt, Secret: true, Doc: "A secret number."},
			{Name: "choice", OneOf: []string{"one", "two"}, Default: "one", Doc: "One of two."},
			{Name: "requestTimeout", Doc: "A text, where others have a duration."},
			driver.TLSSetting(),
		},
		Check: func(cfg driver.Config) ([]string, error) {
			if text := cfg.Values.String("text"); text == "refuse" {
				return nil, errors.Join(errors.New("text: is refused"), errors.New("tls.caFile: cannot be\nread"), errors.New("something else"))
			}
			return nil, nil
		},
		Open: func(context.Context, driver.Config) (driver.Provider, error) {
			return nil, driver.ErrUnavailable
		},
	})
}
