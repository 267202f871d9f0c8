package configfile

import (
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
	"github.com/keepsake-cache/keepsake/jcache/near"
)

// Describe writes what the configuration means as a YAML document that means the same. The
// defaults stand there too, each behind a #, with Open Liberty's where that is less safe, and
// what a provider's own file says, with its place;
// at the end are the notices of Check. Secrets are shown as ***. If Check finds problems,
// they are returned and nothing is written.
func (c *Config) Describe(w io.Writer) error {
	notices, err := c.Check()
	if err != nil {
		return err
	}
	text := lines{"# Lines behind a # show defaults and remarks."}
	var managers, sessions, caches []lines
	for _, m := range c.CacheManagers {
		block, err := m.describe()
		if err != nil {
			return err
		}
		managers = append(managers, block)
	}
	for _, s := range c.Sessions {
		block, cache, err := s.describe(len(c.CacheManagers) > 1)
		if err != nil {
			return err
		}
		sessions, caches = append(sessions, block), append(caches, cache)
	}
	text.element(managerElement.name, managers)
	text.element(sessionElement.name, sessions)
	text.element(sessionCacheElement.name, caches)
	text.element(shutdownElement.name, []lines{c.Shutdown.describe()})
	for _, notice := range notices {
		text.add("# Notice: %s", strings.ReplaceAll(notice, "\n", " "))
	}
	_, err = io.WriteString(w, strings.Join(text, "\n")+"\n")
	return err
}

// lines of a YAML document.
type lines []string

func (l *lines) add(format string, args ...any) { *l = append(*l, fmt.Sprintf(format, args...)) }

// scalar adds a setting, with a mark before it.
func (l *lines) scalar(mark string, s driver.Setting, value any, remark string) {
	if remark != "" {
		remark = " # " + remark
	}
	l.add("%s%s: %s%s", mark, s.Name, yamlText(s, value), remark)
}

// element adds a key with one block, or a sequence of several.
func (l *lines) element(name string, blocks []lines) {
	if len(blocks) == 0 {
		return
	}
	l.add("%s:", name)
	for _, block := range blocks {
		for i, line := range block {
			if len(blocks) > 1 && i == 0 {
				line = "- " + line
			} else if len(blocks) > 1 {
				line = "  " + line
			}
			l.add("  %s", line)
		}
	}
}

func (m *CacheManagerConfig) describe() (lines, error) {
	var l lines
	if m.ID != "" {
		l.add("id: %s", yamlString(m.ID))
	}
	l.add("provider: %s", yamlString(m.Config.Provider))
	if m.Config.URI != "" {
		l.add("uri: %s", yamlString(m.Config.URI))
	}
	d, cfg, err := m.provider()
	if err != nil {
		return nil, err
	}
	found, rest, err := resolved(d, cfg)
	if err != nil {
		return nil, err
	}
	block := describer{found}.settings(d.Settings, cfg.Values, "", "#")
	for _, r := range rest {
		block.add("# %s: %s # %s", r.Name, yamlText(setting.Setting{}, r.Value), r.From)
	}
	l.element(propertiesName, []lines{block})
	var caches []lines
	for _, c := range m.Config.Caches {
		caches = append(caches, describeCache(c))
	}
	l.element(cacheElement.name, caches)
	return l, nil
}

// resolved returns what comes neither from the document nor from the defaults: values of settings,
// by their path, and what there is no setting for.
func resolved(d driver.Definition, cfg driver.Config) (found map[string]setting.Resolved, rest []setting.Resolved, err error) {
	if d.Resolve == nil {
		return nil, nil, nil
	}
	all, err := d.Resolve(cfg)
	if err != nil {
		return nil, nil, err
	}
	found = make(map[string]setting.Resolved)
	for _, r := range all {
		if declared(d.Settings, r.Name) {
			found[r.Name] = r
		} else {
			rest = append(rest, r)
		}
	}
	return found, rest, nil
}

// hidden stands for a secret.
const hidden = "***"

// A describer knows what comes neither from the document nor from the defaults.
type describer struct{ found map[string]setting.Resolved }

// settings lists a provider's settings, with mark before what the document does not say.
func (d describer) settings(settings []driver.Setting, values driver.Values, above, mark string) lines {
	var l lines
	for _, s := range settings {
		before := mark
		if values.Given(s.Name) {
			before = ""
		}
		if s.Kind != driver.KindGroup {
			value, remark := valueOf(s, values), ""
			if r, ok := d.found[above+s.Name]; ok && !values.Given(s.Name) {
				value, remark = r.Value, r.From
			}
			if s.Secret && (values.Given(s.Name) || remark != "") {
				value = hidden
			}
			l.scalar(before, s, value, remark)
			continue
		}
		inner := mark
		if before != "" {
			inner = "" // the mark is before the whole group
		}
		var block lines
		block.element(s.Name, []lines{d.settings(s.Group, values.Group(s.Name), above+s.Name+".", inner)})
		for _, line := range block {
			l.add("%s%s", before, line)
		}
	}
	return l
}

// declared reports whether there is a setting of that path.
func declared(settings []driver.Setting, path string) bool {
	name, inner, nested := strings.Cut(path, ".")
	return slices.ContainsFunc(settings, func(s driver.Setting) bool {
		return s.Name == name && (!nested || declared(s.Group, inner))
	})
}

// valueOf returns the value of a setting that is not a group.
func valueOf(s driver.Setting, values driver.Values) any {
	switch s.Kind {
	case driver.KindInt, driver.KindSize:
		return values.Int(s.Name)
	case driver.KindBool:
		return values.Bool(s.Name)
	case driver.KindDuration:
		return values.Duration(s.Name)
	case driver.KindList:
		return values.List(s.Name)
	default:
		return values.String(s.Name)
	}
}

func describeCache(c jcache.CacheConfig) lines {
	var l lines
	l.add("name: %s", yamlString(c.Name))
	policy, _ := cacheElement.word("expiryPolicy")
	expiry, _ := cacheElement.word("expiry")
	if c.ExpiryPolicy == "" || c.ExpiryPolicy == policy.Default {
		l.scalar("#", policy.Setting, policy.Default, "")
	} else {
		l.scalar("", policy.Setting, c.ExpiryPolicy, "")
		l.scalar("", expiry.Setting, c.ExpiryDuration, "")
	}
	codec, _ := cacheElement.word("codec")
	if c.Codec == "" {
		l.scalar("#", codec.Setting, codec.Default, "")
	} else {
		l.scalar("", codec.Setting, c.Codec, "")
	}
	if n, ok := c.Near.(near.Options); ok {
		bytes, _ := cacheElement.word(nearCacheWord)
		age, _ := cacheElement.word(nearCacheMaxAgeWord)
		l.scalar("", bytes.Setting, n.MaxBytes, "")
		l.scalar("", age.Setting, n.MaxAge, "")
	}
	statistics, _ := cacheElement.word("statistics")
	mark := "#"
	if c.Statistics {
		mark = ""
	}
	l.scalar(mark, statistics.Setting, c.Statistics, "")
	return l
}

// describe lists the attributes of httpSession and of httpSessionCache.
func (s *SessionConfig) describe(several bool) (session, cache lines, err error) {
	o, err := s.Options.WithDefaults()
	if err != nil {
		return nil, nil, err
	}
	unnamed := o
	unnamed.Cookie.Name = ""
	unnamed, _ = unnamed.WithDefaults() // a cookie without a name gets one that fits
	standard := sessionValues("", sessionOptions(defaults(sessionElement)))
	standard["cookieName"] = unnamed.Cookie.Name
	values := sessionValues(s.ID, o)
	for _, w := range sessionElement.words {
		value := values[w.Name]
		switch {
		case value != standard[w.Name]:
			session.scalar("", w.Setting, value, "")
		case w.Name == "id":
		case w.liberty != "" && (w.Name != "cookieName" || strings.HasPrefix(o.Cookie.Name, "__Host-")):
			session.scalar("#", w.Setting, value, "safer than Open Liberty's "+w.liberty)
		default:
			session.scalar("#", w.Setting, value, "")
		}
	}
	for _, f := range sessionElement.fixed {
		if f.liberty != "" {
			session.add("#%s: %s # not Open Liberty's %s: %s", f.Name, f.only, f.liberty, f.why)
		}
	}
	if s.ID != "" {
		cache.add("id: %s", yamlString(s.ID))
	}
	if several {
		cache.add("cacheManagerRef: %s", yamlString(s.CacheManager))
	}
	if prefix, ok := strings.CutSuffix(o.CacheName, cacheNameOf(s.ID)); ok && prefix != "" {
		cache.add("cacheNamePrefix: %s", yamlString(prefix))
	}
	cache.add("# the sessions are in the cache %s", o.CacheName)
	return session, cache, nil
}

// yamlText writes a value so that it is read as the same value.
func yamlText(s driver.Setting, value any) string {
	switch v := value.(type) {
	case int64:
		if s.Kind == driver.KindSize {
			return formatSize(v)
		}
		return strconv.FormatInt(v, 10)
	case bool:
		return strconv.FormatBool(v)
	case time.Duration:
		if v < 0 && s.Unit != 0 {
			return strconv.FormatInt(int64(v/s.Unit), 10)
		}
		return driver.FormatDuration(v)
	case []string:
		quoted := make([]string, len(v))
		for i, one := range v {
			quoted[i] = yamlString(one)
		}
		return "[" + strings.Join(quoted, ", ") + "]"
	default:
		return yamlString(fmt.Sprint(v))
	}
}

func formatSize(n int64) string {
	for _, unit := range []struct {
		bytes int64
		name  string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n != 0 && n%unit.bytes == 0 {
			return strconv.FormatInt(n/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(n, 10)
}

// plainYAML are texts that need no quotes; null is the only one of a meaning of its own.
var plainYAML = regexp.MustCompile(`^[A-Za-z0-9/_][A-Za-z0-9/_.+-]*(:[A-Za-z0-9/_.+-]+)*$`)

// yamlString writes a text. Where it needs quotes, Go's escapes are YAML's too.
func yamlString(text string) string {
	text = strings.ReplaceAll(text, "$", "$$")
	if plainYAML.MatchString(text) && !strings.EqualFold(text, "null") {
		return text
	}
	return strconv.Quote(text)
}
