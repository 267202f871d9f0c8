package main_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/internal/servertest"
)

// binary is the command under test.
var binary string

func TestMain(m *testing.M) { os.Exit(buildAndRun(m)) }

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "keepsake")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir) //nolint:errcheck // the system empties its own
	binary = filepath.Join(dir, "keepsake")
	if out, err := exec.CommandContext(context.Background(), "go", "build", "-o", binary, ".").CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// keepsake runs the command in a directory.
func keepsake(t *testing.T, dir string, args ...string) (stdout, stderr string, status int) {
	t.Helper()
	var out, problems bytes.Buffer
	cmd := exec.CommandContext(t.Context(), binary, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &problems
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return out.String(), problems.String(), cmd.ProcessState.ExitCode()
}

// files makes a directory of files.
func files(t *testing.T, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range content {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestCommandLine(t *testing.T) {
	dir := files(t, map[string]string{
		"memory.yaml":    "cacheManager: {provider: memory}\n",
		"memory.xml":     `<keepsake><cacheManager provider="memory"/></keepsake>`,
		"misspelt.yaml":  "cacheManager:\n  provider: memory\nhttpSession:\n  invalidationTimout: 30m\n",
		"unit.yaml":      "cacheManager: {provider: memory}\nhttpSession: {invalidationTimeout: 30 min}\n",
		"provider.xml":   "<keepsake>\n  <cacheManager provider=\"memcache\"/>\n</keepsake>\n",
		"variable.yaml":  "cacheManager: {provider: memory, properties: {maxEntries: '${KEEPSAKE_TEST_UNSET}'}}\n",
		"uri.yaml":       "cacheManager:\n  provider: hazelcast\n  uri: hazelcast-client.xml\n",
		"several.yaml":   "cacheManager: [{id: a, provider: memory}, {id: b, provider: memory}]\n",
		"client.yaml":    "cacheManager: {provider: peer, properties: {mode: client, join: 127.0.0.1:1, secret: sixteen characters}}\n",
		"unreached.yaml": "cacheManager: {provider: memcached, properties: {servers: 127.0.0.1:1, startTimeout: 0}}\n",
	})
	tests := []struct {
		args   string
		status int
		out    []string // what is written to each stream
		err    []string
	}{
		{"check memory.yaml", 0, []string{"# memory.yaml\n", "\n  provider: memory\n", "\n    #whenFull: evict\n", "#cookieSecure: true # safer than Open Liberty's false\n"}, nil},
		{"check memory.yaml memory.xml", 0, []string{"# memory.yaml\n", "\n---\n# memory.xml\n"}, nil},
		{"check misspelt.yaml memory.xml unit.yaml", 1, []string{"# memory.xml\n"}, []string{
			"misspelt.yaml:4:3: httpSession: unknown name \"invalidationTimout\"; did you mean invalidationTimeout?\n",
			"unit.yaml:2:15: httpSession.invalidationTimeout: \"30 min\" is not a duration such as 30m, 1h30m or 250ms\n",
		}},
		{"check provider.xml", 1, nil, []string{"provider.xml:2:17: cacheManager.provider: unknown provider \"memcache\"", "hazelcast, memcached, memory", "did you mean memcached?"}},
		{"check variable.yaml", 1, nil, []string{"variable.yaml:1:47: cacheManager.properties.maxEntries: the environment variable KEEPSAKE_TEST_UNSET is not set"}},
		{"check uri.yaml", 1, nil, []string{"uri.yaml:3:3: cacheManager.uri: hazelcast-client.xml: ", "no such file"}},
		{"check missing.yaml", 1, nil, []string{"missing.yaml: no such file or directory\n"}},
		{"check", 2, nil, []string{"keepsake: expected \"<file> ...\""}},
		{"", 2, nil, []string{"keepsake: expected one of", "see keepsake --help\n"}},
		{"chekc", 2, nil, []string{"keepsake: unexpected argument chekc"}},
		{"check --colour memory.yaml", 2, nil, []string{"keepsake: unknown flag --colour"}},
		{"--help", 0, []string{"Usage: keepsake <command>", "check <file> ...", "schema", "conformance"}, nil},
		{"version", 0, []string{"keepsake ", ", " + runtime.Version() + ", " + runtime.GOOS + "/" + runtime.GOARCH}, nil},
		{"schema -format xsd", 0, []string{"<xs:schema", `<xs:element name="keepsake">`}, nil},
		{"schema --format dtd", 2, nil, []string{"keepsake: --format must be one of"}},
		{"conformance", 2, nil, []string{"keepsake: missing flags: --config=FILE"}},
		{"conformance -config missing.yaml", 1, nil, []string{"missing.yaml: no such file or directory\n"}},
		{"conformance -config several.yaml", 1, nil, []string{"several cacheManagers; ask for one of a, b\n"}},
		{"conformance -config several.yaml -manager c", 1, nil, []string{"no cacheManager \"c\"; ask for one of a, b\n"}},
		{"peer --config client.yaml", 1, nil, []string{"client.yaml: a client holds no records"}},
		{"peer --config memory.yaml", 1, nil, []string{"memory.yaml: the provider memory keeps its records elsewhere"}},
		{"conformance -config memory.yaml -through servers", 1, nil, []string{"memory.yaml: --through takes a setting with the address of a single server, host:port; servers is none"}},
		{"conformance -config unreached.yaml", 1, nil, []string{"provider unavailable"}},
	}
	for _, test := range tests {
		t.Run(test.args, func(t *testing.T) {
			out, problems, status := keepsake(t, dir, strings.Fields(test.args)...)
			if status != test.status {
				t.Errorf("exit status %d, want %d", status, test.status)
			}
			for _, stream := range []struct {
				name, text string
				want       []string
			}{{"stdout", out, test.out}, {"stderr", problems, test.err}} {
				if stream.want == nil && stream.text != "" {
					t.Errorf("%s: %s", stream.name, stream.text)
				}
				for _, want := range stream.want {
					if !strings.Contains(stream.text, want) {
						t.Errorf("%s lacks %q:\n%s", stream.name, want, stream.text)
					}
				}
			}
		})
	}
}

// A secret that the command makes is one that the grid accepts, and no other's.
func TestSecret(t *testing.T) {
	first, problems, status := keepsake(t, t.TempDir(), "secret")
	second, _, _ := keepsake(t, t.TempDir(), "secret")
	if status != 0 || problems != "" || first == second {
		t.Fatalf("status %d, secrets of %d bytes, problems %q", status, len(first), problems)
	}
	dir := files(t, map[string]string{
		"good.yaml": "cacheManager: {provider: peer, properties: {secret: " + strings.TrimSpace(first) + "}}\n",
		"weak.yaml": "cacheManager: {provider: peer, properties: {secret: aaaaaaaaaaaaaaaa}}\n",
	})
	if _, problems, status := keepsake(t, dir, "check", "good.yaml"); status != 0 {
		t.Errorf("its secret is refused: %s", problems)
	}
	if _, problems, status := keepsake(t, dir, "check", "weak.yaml"); status != 1 || !strings.Contains(problems, "keepsake secret") || strings.Contains(problems, "aaaa") {
		t.Errorf("of a weak secret it says: %s", problems)
	}
}

func TestSQLSchema(t *testing.T) {
	out, problems, status := keepsake(t, "", "sql-schema", "--dialect", "postgres", "--table-name", "app.sessions", "--unlogged")
	if status != 0 || !strings.Contains(out, `CREATE UNLOGGED TABLE IF NOT EXISTS "app"."sessions" (`) || !strings.HasSuffix(out, ";\n") {
		t.Errorf("status %d, problems %q:\n%s", status, problems, out)
	}
	for _, line := range []string{"--dialect mysql --unlogged", "--dialect sqlite --table-name a-b", "--dialect oracle"} {
		if _, problems, status := keepsake(t, "", append([]string{"sql-schema"}, strings.Fields(line)...)...); status == 0 || problems == "" {
			t.Errorf("sql-schema %s: status %d, problems %q", line, status, problems)
		}
	}
}

// docs/configuration.md ends with what keepsake schema --format markdown prints.
func TestReferenceIsUpToDate(t *testing.T) {
	out, problems, status := keepsake(t, "", "schema", "--format", "markdown")
	if status != 0 {
		t.Fatal(problems)
	}
	page, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasSuffix(string(page), "\n"+out) {
		t.Error("the tables of docs/configuration.md are not what keepsake schema --format markdown prints")
	}
}

func TestJSONSchemaIsJSON(t *testing.T) {
	out, problems, status := keepsake(t, "", "schema")
	if status != 0 || !json.Valid([]byte(out)) {
		t.Errorf("status %d: %s\n%s", status, problems, out)
	}
}

func TestConformance(t *testing.T) {
	memcached := servertest.Memcached(t)
	dir := files(t, map[string]string{
		"both.xml": `<keepsake>
  <cacheManager id="near" provider="memory"/>
  <cacheManager id="far" provider="memcached"><properties servers="` + memcached.Addr + `"/></cacheManager>
</keepsake>`,
	})
	for id, through := range map[string]string{"near": "", "far": "servers"} {
		t.Run(id, func(t *testing.T) {
			out, problems, status := keepsake(t, dir, "conformance", "-config", "both.xml", "-manager", id, "-through", through)
			if notRun := strings.Contains(out, "not run: "); notRun != (through == "") {
				t.Errorf("the rules for a broken network are left out: %v", notRun)
			}
			lines := strings.Split(strings.TrimSpace(out), "\n")
			var passed, failed, unsupported int
			_, err := fmt.Sscanf(lines[len(lines)-1], "conformance: %d passed, %d failed, %d unsupported", &passed, &failed, &unsupported)
			if status != 0 || err != nil || passed == 0 || failed != 0 {
				t.Errorf("status %d, %v:\n%s%s", status, err, out, problems)
			}
		})
	}
}
