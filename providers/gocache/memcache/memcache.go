// Package memcache makes the stores of gocache that are on memcached servers known to provider gocache, with the
// client github.com/bradfitz/gomemcache:
//
//	import _ "github.com/keepsake-cache/keepsake/providers/gocache/memcache"
//
// Several processes that share caches need the provider memcached instead.
package memcache

import (
	"errors"
	"fmt"
	"hash/crc32"
	"math"
	"net"
	"strings"
	"time"

	"github.com/bradfitz/gomemcache/memcache"
	"github.com/eko/gocache/lib/v4/store"
	memcachestore "github.com/eko/gocache/store/memcache/v4"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/gocache"
)

func init() {
	gocache.RegisterStore(gocache.StoreType{Name: "memcache", New: open})
}

// idle is how many unused connections to each server are kept.
const idle = 64

func open(cfg gocache.StoreConfig) (gocache.Options, error) {
	servers, err := setting.Addresses(cfg.Servers, func(text string) (string, error) { return setting.HostPort(text, "11211") })
	if err != nil {
		return gocache.Options{}, &setting.Problem{Path: "servers", Reason: err.Error(), Err: err}
	}
	addresses := make(selector, len(servers))
	for i, server := range servers {
		addresses[i] = address(server)
	}
	client := memcache.NewFromSelector(addresses)
	client.DialContext = (&net.Dialer{Timeout: cfg.ConnectTimeout}).DialContext
	client.Timeout = cfg.RequestTimeout
	client.MaxIdleConns = idle
	return gocache.Options{
		Store:          memcachestore.NewMemcache(client),
		MaxRecordBytes: int(cfg.MaxRecordBytes),
		Expiration:     expiration,
		Explain:        explain,
		Close:          client.Close,
	}, nil
}

// A selector spreads keys over servers as gomemcache's own does, and looks their names up each time a
// connection is made.
type selector []net.Addr

type address string

func (address) Network() string  { return "tcp" }
func (a address) String() string { return string(a) }

// PickServer implements memcache.ServerSelector.
func (s selector) PickServer(key string) (net.Addr, error) {
	return s[crc32.ChecksumIEEE([]byte(key))%uint32(len(s))], nil
}

// Each implements memcache.ServerSelector.
func (s selector) Each(f func(net.Addr) error) error {
	for _, a := range s {
		if err := f(a); err != nil {
			return err
		}
	}
	return nil
}

const (
	// mostRelative is the longest time that a server takes as one from now.
	mostRelative = 30 * 24 * time.Hour
	second       = int64(time.Second)
)

// expiration makes a long time one of the calendar, as servers want it.
func expiration(keep time.Duration) time.Duration {
	if keep <= mostRelative {
		return keep
	}
	at := time.Now().Unix() + int64(keep)/second
	if at > math.MaxInt32 {
		return 0 // for ever; the deadline is kept by the provider
	}
	return time.Duration(at * second)
}

// explain says what errors of the client mean.
func explain(err error) error {
	var connecting *memcache.ConnectTimeoutError
	switch text := err.Error(); {
	case errors.Is(err, memcache.ErrCacheMiss):
		return store.NotFoundWithCause(err)
	case errors.As(err, &connecting):
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	case strings.Contains(text, "SERVER_ERROR out of memory"):
		return fmt.Errorf("%w: the server is out of memory", driver.ErrFull)
	case strings.Contains(text, "SERVER_ERROR object too large"):
		return fmt.Errorf("%w: the server takes less; lower maxRecordBytes or raise its -I", driver.ErrTooLarge)
	case strings.Contains(text, "SERVER_ERROR"):
		return fmt.Errorf("%w: the server answers with an error", driver.ErrUnavailable)
	}
	return nil
}
