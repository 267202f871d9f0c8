package configfile

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/internal/configtree"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// WatchOptions configures Watch.
type WatchOptions struct {
	// Still is for how long a file must have stayed as it is before it counts as written.
	// Zero: five seconds.
	Still time.Duration
	// Prepare changes each Config that is read as the program changed the one that it
	// opened. If it fails, what is running stays. Nil: the program changed nothing.
	Prepare func(*Config) error
	// Logger hears what changes, and why something is not applied. Nil: slog.Default().
	Logger *slog.Logger
}

const defaultStill = 5 * time.Second

// Watch applies changes of the file that the system was opened from, as Reload does, until
// ctx ends or the system is closed; it then returns nil. Before it applies a change it logs what
// differs, from what to what, and afterwards what needs a restart. Secrets are not shown.
//
// A file that is being written is not a configuration. So it is read when it has stayed as it is
// for WatchOptions.Still, and when it is whole: an XML document has the end of its root, and a
// YAML document its end marker, a last line "...", unless the file is another one than before, as it is when the
// new one was written under another name and renamed. Whatever is wrong with it, what is running
// stays, and the log says why.
//
// The files that the document names, such as uri, are watched, too. A Config that was not
// loaded from a file cannot be watched, which is an error.
func (s *System) Watch(ctx context.Context, opts WatchOptions) error {
	was, err := os.Stat(s.opened.file)
	if err != nil {
		return fmt.Errorf("configfile: the file cannot be watched: %w", err)
	}
	w := &watch{was: was, system: s, file: s.opened.file, others: s.opened.files(), still: opts.Still, prepare: opts.Prepare, log: opts.Logger}
	if w.still == 0 {
		w.still = defaultStill
	}
	if w.log == nil {
		w.log = slog.Default()
	}
	w.log = w.log.With("file", w.file)
	tick := time.NewTicker(min(time.Second, max(w.still/4, time.Millisecond)))
	defer tick.Stop()
	for !s.isClosed() {
		w.look(time.Now())
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// A watch is one call of Watch.
type watch struct {
	system  *System
	file    string
	others  []string
	still   time.Duration
	prepare func(*Config) error
	log     *slog.Logger

	seen    stamp // what the files held at the last look
	since   time.Time
	handled stamp
	was     os.FileInfo // of what was handled
	refused bool        // what was handled
}

// A stamp is the content of all the files.
type stamp [sha256.Size]byte

// look reads the files, and applies what has been there long enough.
func (w *watch) look(now time.Time) {
	data, is, err := readWithInfo(w.file)
	sum := sha256.New()
	fmt.Fprintf(sum, "%v %d %s", err, len(data), data)
	for _, name := range w.others {
		data, err := os.ReadFile(name)
		fmt.Fprintf(sum, "%v %d %s", err, len(data), data)
	}
	content := stamp(sum.Sum(nil))
	switch {
	case content != w.seen:
		w.seen, w.since = content, now
	case content == w.handled:
		if is != nil {
			w.was = is // it may be another file with the same text
		}
	case now.Sub(w.since) >= w.still:
		w.handled = content
		w.handle(data, is, err)
	}
}

func readWithInfo(name string) (data []byte, is os.FileInfo, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read from
	if is, err = f.Stat(); err == nil {
		data, err = io.ReadAll(f)
	}
	return data, is, err
}

// handle applies what the file holds, or says why not.
func (w *watch) handle(data []byte, is os.FileInfo, err error) {
	var restart []string
	changed := false
	if err == nil {
		restart, err = w.reload(data, os.SameFile(w.was, is), &changed)
		w.was = is
	}
	switch {
	case err != nil:
		w.refused = true
		w.log.Warn("keepsake: the configuration file is not applied, what is running stays", "why", err)
		return
	case changed:
		w.log.Info("keepsake: the configuration file is applied", "restart", len(restart) > 0)
	case w.refused:
		w.log.Info("keepsake: the configuration file says what is running")
	}
	w.refused = false
	for _, what := range restart {
		w.log.Warn("keepsake: a change of the configuration file is not applied", "why", what)
	}
}

func (w *watch) reload(data []byte, inPlace bool, changed *bool) (restart []string, err error) {
	cfg, err := Parse(w.file, data, w.system.opened.getenv)
	if err != nil {
		return nil, err
	}
	if w.prepare != nil {
		if err := w.prepare(cfg); err != nil {
			return nil, err
		}
	}
	others := cfg.files()
	return w.system.reload(cfg, func(all []difference) error {
		if len(all) > 0 && inPlace && !whole(w.file, data) {
			return errPartly
		}
		w.others = others
		*changed = len(all) > 0
		for _, d := range all {
			what := d.part
			if d.name != "" {
				what += ": " + d.name
			}
			w.log.Info("keepsake: the configuration file has changed", "what", what, "from", d.from, "to", d.to)
		}
		return nil
	})
}

var errPartly = errors.New(`it was changed in its place, and may not be written to its end yet; ` +
	`end it with the line "...", or write the new one under another name and rename it`)

// whole reports whether a document shows that it is complete. One of XML that is not has no end of its
// root, which Parse refuses. Of YAML the line "..." is the end of a document wherever it stands.
func whole(name string, data []byte) bool {
	text := strings.ReplaceAll(string(data), "\r\n", "\n")
	return configtree.IsXML(name, data) || text == "...\n" || strings.HasSuffix(text, "\n...\n")
}

func (s *System) isClosed() bool {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.closed
}

// files returns the files that the configuration names.
func (c *Config) files() (names []string) {
	for _, m := range c.CacheManagers {
		if m.Config.URI != "" {
			names = append(names, m.Config.URI)
		}
		if d, err := jcache.Definition(m.Config.Provider); err == nil {
			if values, err := driver.NewValues(d.Settings, m.Config.Settings); err == nil {
				names = append(names, filesOf(d.Settings, values)...)
			}
		}
	}
	return names
}

func filesOf(settings []driver.Setting, values driver.Values) (names []string) {
	for _, s := range settings {
		switch s.Kind {
		case driver.KindGroup:
			names = append(names, filesOf(s.Group, values.Group(s.Name))...)
		case driver.KindFile:
			if name := values.String(s.Name); name != "" {
				names = append(names, name)
			}
		}
	}
	return names
}
