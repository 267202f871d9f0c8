package sql_test

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/providers/sql"
)

const secret = "hunter2"

// TestNoSecretIsShown: neither an error, nor a log line, nor what check prints shows a password, however
// the address is written, and whatever is wrong with it.
func TestNoSecretIsShown(t *testing.T) {
	const nobody = "127.0.0.1:1" // listens there
	for _, test := range []struct{ dialect, url, name string }{
		{"", "postgres://shop:hunter2@" + nobody + "/shop", nobody + "/shop"},
		{"", "PostgreSQL://shop:hunter2@" + nobody + "/shop?sslmode=disable", nobody + "/shop"},
		{"", "postgres://shop:hunter2@127.0.0.1:1,[::1]:1/shop", "127.0.0.1:1,[::1]:1/shop"},
		{"", "postgres://" + nobody + "/shop?user=shop&password=hunter2", nobody + "/shop"},
		{"", "postgres://shop:hunter2@" + nobody + "/shop?sslrootcert=/missing/hunter2.pem", ""},
		{"postgres", "host=127.0.0.1 port=1 user=shop password=hunter2 dbname=shop", "postgres"},
		{"postgres", "host=127.0.0.1 port=1 user=shop password='hunter2", ""},
		{"postgres", "host=127.0.0.1 port=many password=hunter2", ""},
		{"", "mysql://shop:hunter2@" + nobody + "/shop", nobody + "/shop"},
		{"", "mariadb://shop:hunter2@" + nobody + "/shop?tls=skip-verify", nobody + "/shop"},
		{"mysql", "shop:hunter2@tcp(127.0.0.1:1)/shop", "mysql"},
		{"mysql", "postgres:hunter2@tcp(127.0.0.1:1)/shop", "mysql"}, // a user's name

		// Broken ones.
		{"", "postgres://shop:hun?hunter2@" + nobody + "/shop", ""},
		{"", "postgres://shop:hun/hunter2@" + nobody + "/shop", ""},
		{"", "postgres://shop:hun#hunter2@" + nobody + "/shop", ""},
		{"", "postgres://shop:hun%hunter2@" + nobody + "/shop", ""},
		{"", "postgres://shop:hun hunter2@" + nobody + "/shop", ""},
		{"", "postgres://shop:hunter2", ""},
		{"", "postgres://shop:hunter2@@@/shop", ""},
		{"", "postgres://shop:x@" + nobody + "/shop?password=a@hunter2", ""},
		{"", "postgres://shop:hunter2@" + nobody + ":many/shop", ""},
		{"", "mysql://shop:hun?hunter2@" + nobody + "/shop", ""},
		{"", "mysql://shop:hun/hunter2@" + nobody + "/shop", ""},
		{"", "mysql://shop:hunter2", ""},
		{"", "mysql://shop:x@" + nobody + "/shop?tls=hunter2", ""},
		{"mysql", "shop:hunter2@tcp(127.0.0.1:1/shop", ""},
		{"mysql", "shop:hunter2", ""},
		{"", "oracle://shop:hunter2@" + nobody + "/shop", ""},
		{"", "shop:hunter2@" + nobody, ""},
		{"", "sqlite:/missing/caches.db?_pragma=key('hunter2')", "/missing/caches.db"},
		{"", "sqlite:?_pragma=key('hunter2')", ""},
		{"postgres", "mysql://shop:hunter2@" + nobody + "/shop", ""},
	} {
		shown := func(what, text string) {
			if strings.Contains(text, secret) {
				t.Errorf("%s, %s: %s", test.url, what, text)
			}
		}
		var log bytes.Buffer
		opts := sql.Options{URL: test.url, Dialect: test.dialect, RequestTimeout: 50 * time.Millisecond,
			Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))}
		_, err := sql.Connect(t.Context(), opts)
		if err == nil {
			t.Errorf("%s: it connects", test.url)
			continue
		}
		shown("error", err.Error())
		shown("log", log.String())

		config := jcache.Config{Provider: "sql", Settings: map[string]any{"url": test.url}}
		if test.dialect != "" {
			config.Settings["dialect"] = test.dialect
		}
		if _, err := config.Check(); err != nil {
			shown("check", err.Error())
		}
		d, err := jcache.Definition("sql")
		must(t, err)
		name := ""
		if cfg, _, err := d.Configure("", config.Settings); err == nil {
			resolved, err := d.Resolve(cfg)
			if err != nil {
				shown("resolve", err.Error())
			} else {
				name = resolved[0].Value.(string)
				shown("what check prints", name)
			}
		}
		if test.name != "" && name != test.name {
			t.Errorf("%s: it is called %q, want %q", test.url, name, test.name)
		}
	}
}
