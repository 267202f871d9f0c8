package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/internal/logtest"
	"github.com/keepsake-cache/keepsake/internal/servers"
	"github.com/keepsake-cache/keepsake/internal/servertest"
)

// The demonstration starts its servers from its own program, which here is the test.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "serve" {
		main()
		return
	}
	os.Exit(m.Run())
}

func TestBothSyntaxesMeanTheSame(t *testing.T) {
	files, err := filepath.Glob("*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no configurations: %v", err)
	}
	for _, file := range files {
		name := strings.TrimSuffix(file, ".yaml")
		var meaning [2]string
		for i, ext := range []string{".yaml", ".xml"} {
			cfg, err := configfile.Load(name + ext)
			if err != nil {
				t.Fatal(err)
			}
			var b strings.Builder
			if err := cfg.Describe(&b); err != nil {
				t.Fatal(err)
			}
			meaning[i] = strings.ReplaceAll(b.String(), name+ext, name)
		}
		if meaning[0] != meaning[1] {
			t.Errorf("%s means in YAML:\n%s\nand in XML:\n%s", name, meaning[0], meaning[1])
		}
	}
}

var opened = regexp.MustCompile(`The shop is open: (\S+)`)

// open runs the demonstration until the end of the test and returns its address.
func open(t *testing.T, config string) string {
	ctx, cancel := context.WithCancel(context.Background())
	var out logtest.Log
	ended := make(chan error, 1)
	go func() { ended <- demonstrate(ctx, &out, "127.0.0.1:0", config) }()
	t.Cleanup(cancel)
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		select {
		case err := <-ended:
			servertest.Check(t, err)
			t.Fatalf("the demonstration has ended:\n%s", out.String())
		default:
		}
		if m := opened.FindStringSubmatch(out.String()); m != nil {
			t.Cleanup(func() {
				cancel()
				if err := <-ended; err != nil {
					t.Error(err)
				}
			})
			return m[1]
		}
	}
	return ""
}

// A visitor is a browser in front of the balancer.
type visitor struct {
	t      *testing.T
	url    string
	client http.Client
}

// visit returns the answer and the server that gave it.
func (v *visitor) visit(method, target, form string) (answer, server string) {
	v.t.Helper()
	r, err := http.NewRequestWithContext(v.t.Context(), method, v.url+target, strings.NewReader(form))
	if err != nil {
		v.t.Fatal(err)
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := v.client.Do(r)
	if err != nil {
		v.t.Fatal(err)
	}
	defer resp.Body.Close() //nolint:errcheck // it was only read from
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK {
		v.t.Fatalf("%s %s: %s %v\n%s", method, target, resp.Status, err, body)
	}
	return string(body), resp.Header.Get("X-Shop-Server")
}

func TestTheCartOutlivesTheServer(t *testing.T) {
	for _, provider := range []struct {
		name    string
		members int
		config  string // empty: the default
	}{
		{"peer", 3, ""},
		{"peer", 3, "peer.xml"},
		{"memcached", 1, "memcached.yaml"},
		{"redis", 1, "redis.yaml"},
		{"sql", 1, "postgres.yaml"},
		{"sql", 0, "sqlite.xml"},
		{"hazelcast", 2, "hazelcast.yaml"},
	} {
		t.Run(provider.name+provider.config, func(t *testing.T) {
			var addrs []string
			for range provider.members {
				addr, err := servers.FreeAddr()
				if err != nil {
					t.Fatal(err)
				}
				addrs = append(addrs, addr)
			}
			t.Setenv("KEEPSAKE_SERVERS", strings.Join(addrs, ","))
			t.Setenv("KEEPSAKE_DATABASE", "sqlite:"+filepath.Join(t.TempDir(), "carts.db"))
			if len(addrs) > 0 {
				t.Setenv("KEEPSAKE_DATABASE", "postgres://postgres@"+addrs[0]+"/postgres")
			}
			jar, err := cookiejar.New(nil)
			if err != nil {
				t.Fatal(err)
			}
			v := &visitor{t, open(t, provider.config), http.Client{Jar: jar, Timeout: 30 * time.Second}}

			v.visit("GET", "/ServiceA?name=foo&value=bar", "")
			v.visit("POST", "/cart", "product=pot")
			v.visit("POST", "/cart", "product=pot&do=add")
			v.visit("POST", "/cart", "product=sencha")
			v.visit("POST", "/cart", "product=sencha&do=remove")
			seen := map[string]bool{}
			check := func(n int) {
				t.Helper()
				for range n {
					page, server := v.visit("GET", "/", "")
					seen[server] = true
					if !strings.Contains(page, "from server <strong>"+server) || !strings.Contains(page, "kept in "+provider.name) {
						t.Errorf("the page of server %s does not say so", server)
					}
					if !strings.Contains(page, "€ 84.00") || strings.Contains(page, "one less Sencha") {
						t.Errorf("server %s has another cart", server)
					}
					foo, server := v.visit("GET", "/ServiceB?name=foo", "")
					if seen[server] = true; foo != "foo=bar" {
						t.Errorf("server %s answers %q", server, foo)
					}
				}
			}
			check(4)
			if !seen["A"] || !seen["B"] {
				t.Errorf("only these servers answered: %v", seen)
			}

			page, _ := v.visit("POST", "/stop", "server=B")
			if strings.Count(page, "is stopped") != 1 || !strings.Contains(page, "Server B was stopped") || !strings.Contains(page, "your cart is still there") {
				t.Errorf("the answer does not say what has happened:\n%s", page)
			}
			clear(seen)
			check(4)
			if len(seen) != 1 {
				t.Errorf("after one was stopped, these servers answered: %v", seen)
			}
			for _, name := range []string{"A", "B"} {
				v.visit("POST", "/start", "server="+name)
			}
			clear(seen)
			check(4)
			if len(seen) != 2 {
				t.Errorf("after it was started again, only these servers answered: %v", seen)
			}
		})
	}
}

// Even when every server is stopped there is a page, from which they are started again.
func TestEveryServerStopped(t *testing.T) {
	v := &visitor{t, open(t, "memory.yaml"), http.Client{Timeout: 30 * time.Second}}
	if page, _ := v.visit("POST", "/stop", ""); strings.Count(page, "is stopped") != 1 {
		t.Errorf("one server was stopped, and the answer says:\n%s", page)
	}
	for _, target := range []string{"/stop", "/cart", "/"} {
		resp, err := v.client.Post(v.url+target, "application/x-www-form-urlencoded", strings.NewReader("product=pot"))
		servertest.Check(t, err)
		body, err := io.ReadAll(resp.Body)
		servertest.Check(t, err)
		servertest.Check(t, resp.Body.Close())
		if page := string(body); resp.StatusCode != http.StatusServiceUnavailable || strings.Count(page, `action="/start"`) != 2 {
			t.Errorf("%s: %s, and a page that starts %d servers", target, resp.Status, strings.Count(page, `action="/start"`))
		}
	}
	if page, server := v.visit("POST", "/start", "server=B"); server != "B" || strings.Count(page, "is stopped") != 1 {
		t.Errorf("server B was started, and %s answers:\n%s", server, page)
	}
	for _, file := range []string{"style.css", "favicon.svg"} {
		v.visit("GET", "/static/"+file, "")
	}
}

func TestAddressThatIsTaken(t *testing.T) {
	v := open(t, "memory.yaml")
	err := demonstrate(t.Context(), io.Discard, strings.TrimPrefix(v, "http://"), "memory.yaml")
	if err == nil || !strings.Contains(err.Error(), "-listen") {
		t.Errorf("error %v, want one that names -listen", err)
	}
}

func TestMemoryIsHonest(t *testing.T) {
	v := &visitor{t, open(t, "memory.xml"), http.Client{Timeout: 30 * time.Second}}
	if page, _ := v.visit("GET", "/", ""); !strings.Contains(page, "keeps carts for itself") {
		t.Error("the page does not say that servers do not share memory")
	}
}
