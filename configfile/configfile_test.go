package configfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/keepsake-cache/keepsake/configfile"
)

func parse(t testing.TB, name, text string) *configfile.Config {
	t.Helper()
	cfg, err := configfile.Parse(name, []byte(text), getenv)
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func parseError(t testing.TB, name, text string) string {
	t.Helper()
	_, err := configfile.Parse(name, []byte(text), getenv)
	if err == nil {
		t.Fatal("the document is accepted")
	}
	return err.Error()
}

func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const (
	smallXML  = `<keepsake><cacheManager provider="memory"/></keepsake>`
	smallYAML = "cacheManager: {provider: memory}\n"
)

func TestLoad(t *testing.T) {
	t.Setenv("KEEPSAKE_TEST_PROVIDER", "memory")
	cfg, err := configfile.Load(write(t, "a.yaml", "cacheManager: {provider: '${KEEPSAKE_TEST_PROVIDER}'}"))
	if err != nil {
		t.Fatal(err)
	}
	if got := cfg.CacheManagers[0].Config.Provider; got != "memory" {
		t.Errorf("provider %q", got)
	}
}

func TestLoadMissingFile(t *testing.T) {
	_, err := configfile.Load("missing.yaml")
	var problem *configfile.Error
	if !errors.As(err, &problem) || !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("got %v", err)
	}
	if got, want := err.Error(), "missing.yaml: no such file or directory"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestSyntaxByName(t *testing.T) {
	tests := []struct {
		name, text string
		ok         bool
	}{
		{"a.xml", smallXML, true},
		{"a.xml", smallYAML, false},
		{"a.yaml", smallYAML, true},
		{"a.yml", smallYAML, true},
		{"a.yaml", smallXML, false},
		{"a.conf", smallXML, true},
		{"a.conf", "\n " + smallXML, true},
		{"a.conf", smallYAML, true},
		{"", smallYAML, true},
	}
	for _, test := range tests {
		if _, err := configfile.Parse(test.name, []byte(test.text), getenv); (err == nil) != test.ok {
			t.Errorf("%s: %.20q: %v", test.name, test.text, err)
		}
	}
}

func TestFileNamesAreRelativeToTheDocument(t *testing.T) {
	cfg := parse(t, "/etc/shop/keepsake.yaml", `
cacheManager:
  provider: odd
  uri: sub/odd.conf
  properties: {file: ../x}
`)
	if got, want := cfg.CacheManagers[0].Config.URI, filepath.FromSlash("/etc/shop/sub/odd.conf"); got != want {
		t.Errorf("uri is %q, want %q", got, want)
	}
	if got, want := cfg.CacheManagers[0].Config.Settings["file"], filepath.FromSlash("/etc/x"); got != want {
		t.Errorf("file is %q, want %q", got, want)
	}
}

func TestBounds(t *testing.T) {
	comment := strings.Repeat("#", 1<<20-len(smallYAML))
	parse(t, "a.yaml", smallYAML+comment)
	unknown := smallYAML
	for i := range 5000 {
		unknown += fmt.Sprintf("x%d:\n", i)
	}
	tests := []struct{ name, file, text, last string }{
		{"bytes", "a.yaml", smallYAML + comment + "#", "a.yaml: the document has more than 1 MiB"},
		{"problems", "a.yaml", unknown, "a.yaml: 4900 more problems are not shown"},
		{"elements", "a.xml", "<keepsake>" + strings.Repeat("<cacheManager/>", 10_001) + "</keepsake>",
			"a.xml: the document has more than 10000 elements and attributes"},
		{"attributes", "a.xml", "<keepsake" + strings.Repeat(" a=''", 10_001) + "/>",
			"a.xml: the document has more than 10000 elements and attributes"},
		{"keys", "a.yaml", "cacheManager: [" + strings.Repeat("a,", 10_001) + "]",
			"a.yaml: the document has more than 10000 elements and attributes"},
		{"a name", "a.yaml", smallYAML + strings.Repeat("long", 1<<16) + ": 1\n",
			`a.yaml:2:1: unknown name "` + strings.Repeat("long", 16) + `…"; there are cacheManager, httpSession, httpSessionCache, httpSessionDatabase, shutdown`},
		{"a value", "a.yaml", "cacheManager: {provider: " + strings.Repeat("long", 1<<16) + "}",
			`a.yaml:1:16: cacheManager.provider: unknown provider "` + strings.Repeat("long", 245) + "lo…"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			lines := strings.Split(parseError(t, test.file, test.text), "\n")
			if diff := cmp.Diff(test.last, lines[len(lines)-1]); diff != "" {
				t.Errorf("the last message (-want +got):\n%s", diff)
			}
			if len(lines) > 101 {
				t.Errorf("%d messages", len(lines))
			}
		})
	}
}

// Every attribute of Open Liberty's httpSession and httpSessionCache is known: it is
// obeyed or refused with a reason.
func TestLibertyAttributes(t *testing.T) {
	for element, names := range map[string][]string{
		"httpSession": {
			"maxInMemorySessionCount", "allowOverflow", "sslTrackingEnabled", "cookiesEnabled", "urlRewritingEnabled",
			"invalidationTimeout", "reaperPollInterval", "forceInvalidationMultiple", "cookieName", "cookieDomain",
			"cookieMaxAge", "cookiePath", "useContextRootAsCookiePath", "cookieSecure", "cookieHttpOnly", "cookieSameSite",
			"cookiePartitioned", "rewriteId", "protocolSwitchRewritingEnabled", "alwaysEncodeUrl",
			"securityIntegrationEnabled", "securityUserIgnoreCase", "invalidateOnUnauthorizedSessionRequestException",
			"cloneId", "cloneSeparator", "idLength", "idReuse", "noAdditionalInfo", "debugCrossover",
			"modifyActiveCountOnInvalidatedSession", "allowSerializedAccess", "maxWaitTime", "accessOnTimeout",
		},
		"httpSessionCache": {
			"libraryRef", "uri", "properties", "cacheManagerRef", "scheduleInvalidationFirstHour",
			"scheduleInvalidationSecondHour", "writeContents", "writeFrequency", "writeInterval", "cacheSeparator",
			"appInCacheName", "cacheNamePrefix",
		},
	} {
		for _, name := range names {
			_, err := configfile.Parse("a.yaml", []byte(smallYAML+element+": {"+name+": '?'}\n"), getenv)
			if err != nil && strings.Contains(err.Error(), "unknown name") {
				t.Errorf("%s.%s: %v", element, name, err)
			}
		}
	}
}

func TestErrorsAreFound(t *testing.T) {
	_, err := configfile.Parse("a.yaml", []byte("cacheManager: {provider: memory, x: 1}\ny: 2\n"), getenv)
	var all configfile.Errors
	if !errors.As(err, &all) || len(all) != 2 {
		t.Fatalf("got %v", err)
	}
	want := configfile.Error{File: "a.yaml", Line: 1, Column: 34, Path: "cacheManager",
		Reason: `unknown name "x"; there are id, provider, uri, properties, cache`}
	if diff := cmp.Diff(want, *all[0], cmp.AllowUnexported(configfile.Error{})); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	var first *configfile.Error
	if !errors.As(err, &first) || first != all[0] {
		t.Errorf("errors.As finds %v", first)
	}
}

// What a program makes by hand has no places, and works all the same.
func TestHandMadeConfig(t *testing.T) {
	cfg := &configfile.Config{CacheManagers: []configfile.CacheManagerConfig{{}}, Sessions: []configfile.SessionConfig{{}}}
	cfg.CacheManagers[0].Config.Provider = "odd"
	cfg.CacheManagers[0].Config.Settings = map[string]any{"text": "refuse"}
	cfg.Sessions[0].Options.IDLength = 3
	_, err := cfg.Check()
	if err == nil || strings.Contains(err.Error(), ":0:") || !strings.Contains(err.Error(), "IDLength") {
		t.Fatalf("got %v", err)
	}
	cfg.CacheManagers[0].Config.Settings["text"] = "fine"
	cfg.Sessions[0].Options.IDLength = 0
	parse(t, "", describe(t, cfg))
}

func TestSessionsOfOneCookieName(t *testing.T) {
	cfg := parse(t, "a.yaml", smallYAML+"httpSession: [{id: a}, {id: b}]\n")
	notices, err := cfg.Check()
	if err != nil || len(notices) != 1 || !strings.Contains(notices[0], "httpSessions a and b") {
		t.Errorf("notices %q, error %v", notices, err)
	}
}
