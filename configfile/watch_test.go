package configfile_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/internal/logtest"
)

const still = 5 * time.Second

// A watched system was opened from a file, which it watches.
type watched struct {
	*configfile.System
	t    *testing.T
	file string
	log  logtest.Log
}

// watching runs a test, in a bubble, on a system that was opened from a file.
func watching(t *testing.T, name, text string, opts configfile.WatchOptions, test func(*watched)) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		w := &watched{t: t, file: filepath.Join(dir, name)}
		w.write(text)
		cfg, err := configfile.Load(w.file)
		if err != nil {
			t.Fatal(err)
		}
		w.System = open(t, cfg)
		if opts.Logger == nil {
			opts.Logger = slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{ReplaceAttr: withoutTime}))
		}
		ctx, cancel := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- w.Watch(ctx, opts) }()
		w.rest()
		test(w)
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

func withoutTime(groups []string, a slog.Attr) slog.Attr {
	if len(groups) == 0 && (a.Key == slog.TimeKey || a.Key == "file") {
		return slog.Attr{}
	}
	return a
}

// write writes the file in its place.
func (w *watched) write(text string) {
	w.t.Helper()
	if err := os.WriteFile(w.file, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// replace writes another file and renames it.
func (w *watched) replace(text string) {
	w.t.Helper()
	file := w.file
	defer func() { w.file = file }()
	w.file += ".new"
	w.write(text)
	if err := os.Rename(w.file, file); err != nil {
		w.t.Fatal(err)
	}
}

// rest lets the file stay as it is for long enough.
func (w *watched) rest() {
	time.Sleep(still + 2*time.Second)
	synctest.Wait()
}

// said returns what was logged since the last time.
func (w *watched) said() string {
	return w.log.Take()
}

func (w *watched) cookie() string {
	w.t.Helper()
	sessions, err := w.Sessions("")
	if err != nil {
		w.t.Fatal(err)
	}
	return visit(w.t, sessions).Name
}

const shopYAML = `
cacheManager: {provider: memory}
httpSession:
  cookieName: SHOP
  invalidationTimeout: 1h
  absoluteTimeout: 12h
`

func TestWatchAppliesAndTells(t *testing.T) {
	watching(t, "a.yaml", shopYAML, configfile.WatchOptions{}, func(w *watched) {
		if said := w.said(); said != "" {
			t.Errorf("nothing has changed, and it says %s", said)
		}
		w.replace(strings.NewReplacer("SHOP", "CART", "1h", "2h", "memory}", "memory, properties: {maxEntries: 5}}").Replace(shopYAML))
		w.rest()
		want := `level=INFO msg="keepsake: the configuration file has changed" what="cacheManager: properties.maxEntries" from=0 to=5
level=INFO msg="keepsake: the configuration file has changed" what="httpSession: invalidationTimeout" from=1h to=2h
level=INFO msg="keepsake: the configuration file has changed" what="httpSession: cookieName" from=SHOP to=CART
level=INFO msg="keepsake: the configuration file is applied" restart=true
level=WARN msg="keepsake: a change of the configuration file is not applied" why="cacheManager: properties.maxEntries has changed; it is applied at the next start"
level=WARN msg="keepsake: a change of the configuration file is not applied" why="httpSession: invalidationTimeout has changed; sessions that begin from now on have it; those that live keep what they began with, after a restart too"
`
		if said := w.said(); said != want {
			t.Errorf("it says\n%s, want\n%s", said, want)
		}
		if name := w.cookie(); name != "CART" {
			t.Errorf("the cookie is %s", name)
		}
		w.rest()
		if said := w.said(); said != "" {
			t.Errorf("nothing has changed since, and it says %s", said)
		}
	})
}

// Whatever is wrong with the file, what is running stays, and the log says once what it is.
func TestWatchKeepsWhatRuns(t *testing.T) {
	watching(t, "a.yaml", shopYAML, configfile.WatchOptions{}, func(w *watched) {
		for name, spoil := range map[string]func(){
			"wrong":     func() { w.write(strings.Replace(shopYAML, "12h", "12x", 1)) },
			"unknown":   func() { w.write(strings.Replace(shopYAML, "SHOP", "CART", 1) + "colour: red\n") },
			"empty":     func() { w.write("") },
			"cut":       func() { w.write(strings.TrimSuffix(strings.Replace(shopYAML, "SHOP", "CART", 1), "h\n")) },
			"gone":      func() { _ = os.Remove(w.file) },
			"no rights": func() { _ = os.Remove(w.file); _ = os.Mkdir(w.file, 0o700) },
		} {
			spoil()
			w.rest()
			w.rest()
			said := w.said()
			if strings.Count(said, "\n") != 1 || !strings.Contains(said, "is not applied, what is running stays") {
				t.Errorf("%s: it says %s", name, said)
			}
			if got := w.cookie(); got != "SHOP" {
				t.Errorf("%s: the cookie is %s", name, got)
			}
			_ = os.Remove(w.file) // the directory
			w.write(shopYAML)
			w.rest()
			if said := w.said(); !strings.Contains(said, "says what is running") {
				t.Errorf("%s: when it is as before, it says %q", name, said)
			}
		}
	})
}

// A secret is not shown, whether it changes or not.
func TestWatchShowsNoSecret(t *testing.T) {
	watching(t, "a.yaml", smallYAML+"\n", configfile.WatchOptions{}, func(w *watched) {
		for _, password := range []string{"sesame", "opensesame"} {
			w.replace("cacheManager: {provider: memcached, properties: {servers: a, user: u, password: " + password + "}}\n")
			w.rest()
			if said := w.said(); strings.Contains(said, "sesame") || !strings.Contains(said, "provider has changed") {
				t.Errorf("it says %s", said)
			}
		}
	})
}

// The provider's own file belongs to the configuration.
func TestWatchSeesTheProvidersFile(t *testing.T) {
	client := filepath.Join(t.TempDir(), "client.yaml")
	put := func(cluster string) {
		if err := os.WriteFile(client, []byte("hazelcast-client:\n  cluster-name: "+cluster+"\n  network:\n    cluster-members: ['127.0.0.1:1']\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("blue")
	watching(t, "a.yaml", smallYAML+"\n", configfile.WatchOptions{}, func(w *watched) {
		w.replace("cacheManager: {provider: hazelcast, uri: " + client + "}\n")
		w.rest()
		if said := w.said(); !strings.Contains(said, "from=memory to=hazelcast") {
			t.Errorf("it says %s", said)
		}
		put("nonsense: [")
		w.rest()
		if said := w.said(); !strings.Contains(said, "what is running stays") {
			t.Errorf("it says %s", said)
		}
	})
}

// A program that changes what it opens changes what is read later, too.
func TestWatchPrepares(t *testing.T) {
	var fail error
	prepare := func(c *configfile.Config) error {
		c.Sessions[0].Options.Cookie.Name = "PROGRAM"
		return fail
	}
	watching(t, "a.yaml", shopYAML, configfile.WatchOptions{Prepare: prepare}, func(w *watched) {
		w.replace(strings.Replace(shopYAML, "SHOP", "CART", 1))
		w.rest()
		if name := w.cookie(); name != "PROGRAM" {
			t.Errorf("the cookie is %s", name)
		}
		fail = errors.New("not on a Monday")
		w.write(shopYAML)
		w.rest()
		if said := w.said(); !strings.Contains(said, "not on a Monday") {
			t.Errorf("it says %s", said)
		}
	})
}

func TestWatchEndsWithTheSystem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := parse(t, "a.yaml", shopYAML)
		s := open(t, cfg)
		if err := s.Watch(t.Context(), configfile.WatchOptions{}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("what was not loaded from a file is watched: %v", err)
		}
		file := filepath.Join(t.TempDir(), "a.yaml")
		if err := os.WriteFile(file, []byte(shopYAML), 0o600); err != nil {
			t.Fatal(err)
		}
		cfg, err := configfile.Load(file)
		if err != nil {
			t.Fatal(err)
		}
		s = open(t, cfg)
		ended := make(chan error, 1)
		go func() { ended <- s.Watch(context.Background(), configfile.WatchOptions{}) }()
		synctest.Wait()
		if err := s.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
