package configfile_test

import (
	"context"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/configfile"
	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A check and opening agree, whatever the settings: what the check accepts can only fail because of
// the network, and what it refuses is refused by opening too, for the same reasons.
func TestCheckAndOpenAgree(t *testing.T) {
	quietly(t)
	for _, provider := range []string{"memory", "memcached", "redis", "hazelcast", "peer"} {
		t.Run(provider, func(t *testing.T) {
			seed := rand.Uint64()
			t.Logf("seed %d", seed)
			g := &settingsGenerator{Rand: rand.New(rand.NewPCG(seed, 0)), pool: newPool(t)}
			d, err := jcache.Definition(provider)
			if err != nil {
				t.Fatal(err)
			}
			accepted, refused := 0, 0
			for i := range 100 {
				g.careful = i%2 == 0
				if g.agree(t, d) {
					accepted++
				} else {
					refused++
				}
			}
			t.Logf("%d accepted, %d refused", accepted, refused)
			if accepted == 0 || refused == 0 {
				t.Errorf("%d accepted, %d refused; the generator tests too little", accepted, refused)
			}
		})
	}
}

// quietly keeps the log of what is opened to itself.
func quietly(t *testing.T) {
	before := slog.Default()
	slog.SetDefault(slog.New(slog.DiscardHandler))
	t.Cleanup(func() { slog.SetDefault(before) })
}

// agree makes one configuration, and reports whether the check accepts it.
func (g settingsGenerator) agree(t *testing.T, d driver.Definition) bool {
	t.Helper()
	text := "cacheManager:\n  provider: " + d.Name + "\n"
	if d.URI != "" && g.IntN(3) == 0 {
		text += "  uri: " + g.one(g.uris) + "\n"
	}
	if g.IntN(10) == 0 {
		text += "  cache: {name: c, expiryPolicy: " + g.one([]string{"created", "eternal", "crated"}) + ", expiry: 1m}\n"
	}
	text += g.settings("properties", d.Settings, "  ")
	cfg, err := configfile.Parse("a.yaml", []byte(text), getenv)
	if err != nil {
		return false // there is nothing that could be opened
	}
	cfg.Sessions = nil
	_, refusal := cfg.Check()
	if refusal == nil {
		if err := g.open(t, cfg.CacheManagers[0].Config); err != nil && !ofTheNetwork(err) {
			t.Errorf("the check accepts what opening refuses: %v\n%s", err, text)
		}
		return true
	}
	if _, err := cfg.Open(t.Context()); err == nil || err.Error() != refusal.Error() {
		t.Errorf("the check says\n%v\nand opening\n%v\n%s", refusal, err, text)
	}
	err = g.open(t, cfg.CacheManagers[0].Config)
	var problems configfile.Errors
	if err == nil || !errors.As(refusal, &problems) {
		t.Errorf("opening accepts what the check refuses: %v\n%s", refusal, text)
		return false
	}
	for _, p := range problems {
		if !strings.Contains(err.Error(), p.Reason) {
			t.Errorf("opening does not give the reason %q:\n%v\n%s", p.Reason, err, text)
		}
	}
	return false
}

// open opens the configuration past the check of the file, and closes it again. Nobody is waited
// for, unless it says so.
func (g settingsGenerator) open(t *testing.T, cfg jcache.Config) error {
	t.Helper()
	d, err := jcache.Definition(cfg.Provider)
	if err != nil {
		return err
	}
	_, given := cfg.Settings[setting.StartTimeoutName]
	if waits := slices.ContainsFunc(d.Settings, func(s driver.Setting) bool { return s.Name == setting.StartTimeoutName }); waits && !given {
		settings := map[string]any{setting.StartTimeoutName: time.Duration(0)}
		maps.Copy(settings, cfg.Settings)
		cfg.Settings = settings
	}
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	m, err := jcache.Open(ctx, cfg)
	if err != nil {
		return err
	}
	closing, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	return m.Close(closing)
}

// ofTheNetwork reports whether nothing but the network, or who is there, can be to blame.
func ofTheNetwork(err error) bool {
	var operation net.Error
	return !errors.Is(err, jcache.ErrInvalid) &&
		(errors.As(err, &operation) || errors.Is(err, context.DeadlineExceeded) || errors.Is(err, jcache.ErrUnavailable) || errors.Is(err, driver.ErrMisconfigured))
}

// A pool has values of which some are good, and some are not.
type pool struct{ files, uris, addresses []string }

func newPool(t *testing.T) pool {
	dir := t.TempDir()
	place := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert, key := certificate(t)
	_, other := certificate(t)
	p := pool{
		files: []string{place("cert.pem", cert), place("cert2.pem", cert), place("key.pem", key), place("key2.pem", key), place("other.pem", other), place("text.pem", "text"), filepath.Join(dir, "absent.pem"), ""},
		uris: []string{
			place("good.yaml", "hazelcast-client:\n  network:\n    cluster-members: ['127.0.0.1:1']\n"),
			place("empty.yaml", "hazelcast-client:\n  cluster-name: x\n"),
			place("bad.yaml", "hazelcast-client:\n  network:\n    cluster-members: ['127.0.0.1:99999']\n  nonsense: 1\n"),
			place("tls.yaml", "hazelcast-client:\n  network:\n    cluster-members: ['127.0.0.1:1']\n    ssl: {enabled: true, properties: {keyFile: absent.pem}}\n"),
			place("member.yaml", "hazelcast:\n  network:\n    join: {tcp-ip: {enabled: true, member-list: [127.0.0.1]}}\n"),
			filepath.Join(dir, "absent.yaml"), "''",
		},
		addresses: []string{"127.0.0.1:1", "127.0.0.1:1", "localhost:2", "[::1]:1", "127.0.0.1:0", "127.0.0.1:28701-28760", "127.0.0.1", "::1", "203.0.113.77:1", "0.0.0.0:0", "[::]:0", ":0", "a b:1", "127.0.0.1:99999", "x:y", ""},
	}
	return p
}

// certificate makes one that signs itself, and its key, in PEM.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true}
	der, err := x509.CreateCertificate(nil, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}

type settingsGenerator struct {
	*rand.Rand
	pool
	careful bool // what can be said in few settings, each of which is good by itself
}

func (g settingsGenerator) one(texts []string) string { return texts[g.IntN(len(texts))] }

// settings makes a group of settings, mostly of few and of good ones, so that some are accepted.
func (g settingsGenerator) settings(name string, declared []driver.Setting, indent string) string {
	text := ""
	for _, s := range declared {
		rare := 5
		if g.careful {
			rare = 15
		}
		if !s.Required && g.IntN(rare) > 0 && (s.Name != "plaintext" || g.IntN(2) == 0) {
			continue
		}
		if s.Kind == driver.KindGroup {
			text += g.settings(s.Name, s.Group, indent+"  ")
			continue
		}
		text += indent + "  " + s.Name + ": " + strconv.Quote(g.value(s)) + "\n"
	}
	if text == "" {
		return ""
	}
	return indent + name + ":\n" + text
}

// value makes a text for a setting.
func (g settingsGenerator) value(s driver.Setting) string {
	for range 50 {
		text := g.draw(s)
		if _, err := s.Parse(text); err == nil || !g.careful {
			return text
		}
	}
	return s.Default
}

// draw makes a text for a setting, of its kind as a rule.
func (g settingsGenerator) draw(s driver.Setting) string {
	bounds := []string{fmt.Sprint(s.Min), fmt.Sprint(max(s.Min, 1)), fmt.Sprint(s.Max), "7", "1000"}
	if g.IntN(10) == 0 {
		bounds = []string{fmt.Sprint(s.Min - 1), fmt.Sprint(s.Max + 1), "-5", "x", "", "99999999999999999999"}
	}
	switch {
	case s.Name == "servers" || s.Name == "listen" || s.Name == "join" || s.Name == "advertise":
		list := g.one(g.addresses[:1+g.IntN(len(g.addresses))])
		if s.Kind == driver.KindList && g.IntN(3) == 0 {
			list += ", " + g.one(g.addresses)
		}
		return list
	case len(s.OneOf) > 0 && g.IntN(10) > 0:
		return g.one(s.OneOf)
	case s.Kind == driver.KindFile:
		return g.one(g.files)
	case s.Kind == driver.KindInt || s.Kind == driver.KindSize:
		return g.one(bounds)
	case s.Kind == driver.KindBool:
		return g.one([]string{"true", "true", "true", "false", "yes"})
	case s.Kind == driver.KindDuration:
		return g.one([]string{"200ms", "1s", "2s", "1s", "0s", "-1", "soon", "1ms"})
	}
	return g.one([]string{"latest", "name", "known to all members", "all", "domain", "2", "1", "short", "two words", "a=first", strings.Repeat("long", 100), ""})
}
