package keepsake_test

import (
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/keepsake-cache/keepsake/"

// arrows are all imports that our packages may have of each other: the house of
// docs/architecture.md. A name that ends in a slash stands for the packages below it; a
// package is ruled by the longest name that covers it.
var arrows = []struct {
	from    string
	to      []string
	because string
}{
	{"jcache/driver", nil, "a provider's author must need nothing else"},
	{"jcache/driver/setting", nil, "declarations need nothing"},
	{"jcache/codec", nil, "what a value looks like in bytes depends on its type only"},
	{"jcache/internal/engine", []string{"jcache/codec", "jcache/driver"}, "what happens to a record does not depend on the types of keys and values"},
	{"jcache", []string{"jcache/codec", "jcache/driver"}, "policy stands on the driver and knows no provider"},
	{"providers/", []string{"jcache", "jcache/driver", "jcache/driver/setting", "internal/configtree"}, "a provider knows nothing of sessions, files or other providers"},
	{"providers/sql/", []string{"providers/sql"}, "it tells the provider of one database's client, so that a program links only that one"},
	{"providers/gocache/", []string{"providers/gocache", "jcache/driver", "jcache/driver/setting"}, "it makes stores of one library, so that a program links only that one"},
	{"providers", []string{"providers/"}, "it is the list of providers to link"},
	{"providers/peer/internal/topology", nil, "what members agree on is plain data"},
	{"providers/peer/internal/rules", nil, "it is a list"},
	{"providers/peer/internal/part", []string{"providers/peer/internal/topology", "providers/peer/internal/rules"}, "the protocol is pure: no clock, connection or goroutine"},
	{"providers/peer/internal/view", []string{"providers/peer/internal/topology", "providers/peer/internal/rules"}, "likewise"},
	{"providers/peer/internal/sim", []string{"providers/peer/internal/topology", "providers/peer/internal/rules", "providers/peer/internal/part", "providers/peer/internal/view"}, "it drives the pure parts and nothing else"},
	{"providers/peer/internal/wire", []string{"providers/peer/internal/topology"}, "it carries bytes between members"},
	{"providers/peer/internal/member", []string{"providers/peer/internal/topology", "providers/peer/internal/wire"}, "gossip decides nothing, so it knows nothing of who decides"},
	{"providers/peer/internal/node", []string{"jcache/driver", "providers/peer/internal/", "internal/version"}, "here the parts meet"},
	{"httpsession", []string{"jcache", "jcache/codec"}, "sessions work on any provider because they know none"},
	{"jcache/near", []string{"jcache", "jcache/driver"}, "who wants copies imports it, so that nobody else links what keeps them"},
	{"configfile", []string{"jcache", "jcache/codec", "jcache/driver", "jcache/driver/setting", "jcache/near", "httpsession", "internal/configtree"}, "it knows settings and the registry, never a provider"},
	{"metrics", []string{"jcache", "httpsession"}, "it tells what they know, so that only who wants metrics links Prometheus"},
	{"conformance", []string{"jcache", "jcache/driver"}, "the suite must not favour a provider"},
	{"conformance/internal/proxy", nil, "it breaks what passes and understands nothing of it"},
	{"conformance/faulty", []string{"jcache/driver"}, "it is a driver that fails on demand"},
	{"conformance/faults", nil, "it is nothing but tests"},
	{"conformance/sessionapp", []string{"internal/sessionapp"}, "it is the command of an application"},
	{"command", []string{"jcache", "jcache/driver", "configfile", "conformance", "metrics", "internal/version"}, "it is an application without its providers, so that any provider's author can link it"},
	{"cmd/", []string{"command", "providers"}, "a command links its providers and runs"},
	{"examples/", []string{"jcache", "jcache/driver", "jcache/driver/setting", "httpsession", "configfile", "conformance", "command", "providers", "providers/", "internal/servers"}, "examples are applications"},
	{"internal/configtree", []string{"jcache/driver/setting"}, "it reads files of any content, and tells problems as all do"},
	{"internal/lan", nil, "it passes packets on and understands nothing of them"},
	{"internal/nemesis", []string{"internal/lan", "jcache", "jcache/driver", "configfile", "providers", "providers/", "internal/servers"}, "it is an application, and starts what it hurts"},
	{"internal/sessionapp", []string{"httpsession", "configfile", "providers"}, "it is an application"},
	{"internal/logtest", nil, "it is a buffer with a lock"},
	{"internal/servers", nil, "it runs programs and knows nothing of ours"},
	{"internal/version", nil, "it reads what the linker wrote"},
	{"internal/servertest", []string{"internal/servers"}, "it makes servers fit for tests"},
	{".", nil, "the root package is a map"},
}

func TestArrows(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", `{{.ImportPath}}{{range .Imports}} {{.}}{{end}}`, "./...").Output()
	if err != nil {
		t.Fatal(err)
	}
	used := make([]bool, len(arrows))
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		from := "."
		if fields[0]+"/" != module {
			from = strings.TrimPrefix(fields[0], module)
		}
		rule := -1
		for i, a := range arrows {
			if covers(a.from, from) && (rule < 0 || len(a.from) > len(arrows[rule].from)) {
				rule = i
			}
		}
		if rule < 0 {
			t.Errorf("there is no rule about %s", from)
			continue
		}
		used[rule] = true
		for _, imported := range fields[1:] {
			to, ours := strings.CutPrefix(imported, module)
			own := strings.HasPrefix(to, from+"/") // a package and what lies below it are one room
			if ours && !own && !slices.ContainsFunc(arrows[rule].to, func(name string) bool { return covers(name, to) }) {
				t.Errorf("%s must not import %s: %s", from, to, arrows[rule].because)
			}
		}
	}
	for i, a := range arrows {
		if !used[i] {
			t.Errorf("there is no package for the rule about %q", a.from)
		}
	}
}

// covers reports whether a name of the list stands for a package.
func covers(name, pkg string) bool {
	return name == pkg || strings.HasSuffix(name, "/") && strings.HasPrefix(pkg, name)
}

// A program that asks for no metrics does not link what carries them.
func TestOnlyMetricsLinkPrometheus(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./jcache/...", "./providers/...", "./httpsession", "./configfile", "./conformance").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.HasPrefix(line, "github.com/prometheus/") {
			t.Errorf("%s is linked", strings.TrimSpace(line))
		}
	}
}

// A program that asks for no near cache does not link what keeps its copies.
func TestOnlyNearCachesLinkBigcache(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", "./jcache", "./providers/memory", "./httpsession").Output()
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(out), "allegro/bigcache") {
		t.Error("bigcache is linked")
	}
}

// A program that imports a provider links its client and no other one's: what is behind a provider is
// in the way of nobody who uses another one.
func TestProvidersLinkTheirOwnClients(t *testing.T) {
	const database, stores = "database/sql", "github.com/eko/gocache/lib/v4/store"
	clients := map[string][]string{
		"memory":           nil,
		"peer":             {"github.com/hashicorp/memberlist"},
		"memcached":        {"github.com/bradfitz/gomemcache/memcache"},
		"redis":            {"github.com/redis/rueidis"},
		"hazelcast":        {"github.com/hazelcast/hazelcast-go-client", database}, // the client's own
		"gocache":          {stores},
		"gocache/bigcache": {stores, "github.com/allegro/bigcache/v3"},
		"gocache/memcache": {stores, "github.com/bradfitz/gomemcache/memcache"},
		"gocache/redis":    {stores, "github.com/redis/go-redis/v9"},
		"sql":              {database},
		"sql/postgres":     {database, "github.com/jackc/pgx/v5"},
		"sql/mysql":        {database, "github.com/go-sql-driver/mysql"},
		"sql/sqlite":       {database, "modernc.org/sqlite"},
	}
	args := []string{"list", "-f", `{{.ImportPath}}{{range .Deps}} {{.}}{{end}}`}
	var all []string
	for name, own := range clients {
		args = append(args, module+"providers/"+name)
		all = append(all, own...)
	}
	out, err := exec.Command("go", args...).Output()
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for line := range strings.Lines(string(out)) {
		fields := strings.Fields(line)
		name := strings.TrimPrefix(fields[0], module+"providers/")
		seen++
		for _, client := range all {
			if links := slices.Contains(fields[1:], client); links != slices.Contains(clients[name], client) {
				t.Errorf("providers/%s links %s: %v", name, client, links)
			}
		}
	}
	if seen != len(clients) {
		t.Errorf("%d providers, want %d", seen, len(clients))
	}
}
