// Package redis makes the stores of gocache that are on Redis or Valkey known to provider gocache, with the
// client github.com/redis/go-redis:
//
//	import _ "github.com/keepsake-cache/keepsake/providers/gocache/redis"
//
// Several processes that share caches need the provider redis instead.
package redis

import (
	"errors"
	"fmt"
	"strings"

	redisstore "github.com/eko/gocache/store/redis/v4"
	"github.com/redis/go-redis/v9"

	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/providers/gocache"
)

func init() {
	gocache.RegisterStore(gocache.StoreType{Name: "redis", New: open})
}

func open(cfg gocache.StoreConfig) (gocache.Options, error) {
	servers, err := setting.Addresses(cfg.Servers, func(text string) (string, error) { return setting.HostPort(text, "6379") })
	if err != nil {
		return gocache.Options{}, &setting.Problem{Path: "servers", Reason: err.Error(), Err: err}
	}
	if len(servers) > 1 && cfg.Database != 0 {
		return gocache.Options{}, setting.Problemf("database", "a cluster has none but 0")
	}
	client := redis.NewUniversalClient(&redis.UniversalOptions{
		Addrs: servers, DB: cfg.Database, Username: cfg.User, Password: cfg.Password, TLSConfig: cfg.TLS,
		DialTimeout: cfg.ConnectTimeout, ReadTimeout: cfg.RequestTimeout, WriteTimeout: cfg.RequestTimeout,
		MaxRetries:      -1, // a write that is sent again may undo somebody's later one
		DisableIdentity: true,
	})
	return gocache.Options{
		Store:          redisstore.NewRedis(client),
		MaxRecordBytes: int(cfg.MaxRecordBytes),
		Explain:        explain,
		Close:          client.Close,
	}, nil
}

// explain says what the server's answers mean: what it has refused was not carried out.
func explain(err error) error {
	var answer redis.Error
	switch {
	case errors.Is(err, redis.ErrClosed), errors.Is(err, redis.ErrPoolTimeout), errors.Is(err, redis.ErrPoolExhausted):
		return fmt.Errorf("%w: %w", driver.ErrUnavailable, err)
	case !errors.As(err, &answer) || errors.Is(err, redis.Nil):
		return nil
	}
	switch code, _, _ := strings.Cut(answer.Error(), " "); code {
	case "OOM":
		return fmt.Errorf("%w: the server answers %s", driver.ErrFull, code)
	case "NOAUTH", "WRONGPASS", "NOPERM", "WRONGTYPE", "ERR":
		return fmt.Errorf("%w: the server answers %s", driver.ErrMisconfigured, code)
	default:
		return fmt.Errorf("%w: the server answers %s", driver.ErrUnavailable, code)
	}
}
