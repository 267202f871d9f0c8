package peer_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/providers/peer"
)

func TestSettingsThatAreRefused(t *testing.T) {
	definition, err := jcache.Definition("peer")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		given map[string]any
		words string
	}{
		{map[string]any{}, "secret"},
		{map[string]any{"secret": secret, "listen": []string{"7801"}}, "listen"},
		{map[string]any{"secret": secret, "listen": []string{"127.0.0.1:7809-7801"}}, "listen"},
		{map[string]any{"secret": secret, "listen": []string{"127.0.0.1:1000-2000"}}, "64 ports"},
		{map[string]any{"secret": secret, "join": []string{"10.1.0.5"}}, "join"},
		{map[string]any{"secret": secret, "replicas": "all"}, "replicas"},
		{map[string]any{"secret": secret, "merge": []string{"latest", "catalog=newest"}}, "merge"},
		{map[string]any{"secret": secret, "replicas": "-1"}, "replicas"},
		{map[string]any{"secret": secret, "mode": "client"}, "join"},
		{map[string]any{"secret": secret, "mode": "server", "nearBytes": int64(1 << 20)}, "nearBytes"},
		{map[string]any{"secret": secret, "syncReplicas": "some"}, "syncReplicas"},
		{map[string]any{"secret": secret, "replicas": "2", "syncReplicas": "1", "reads": "local"}, "syncReplicas"},
		{map[string]any{"secret": secret, "replicas": "domain", "syncReplicas": "1", "onSplit": "consistency"}, "syncReplicas"},
		{map[string]any{"secret": secret, "minCopies": int64(3)}, "minCopies"},
		{map[string]any{"secret": secret, "replicas": "2", "syncReplicas": "1", "minCopies": int64(3)}, "minCopies"},
	} {
		values, err := driver.NewValues(definition.Settings, test.given)
		if err != nil {
			t.Fatal(err)
		}
		_, err = definition.Check(driver.Config{Values: values})
		if err == nil || !strings.Contains(err.Error(), test.words) {
			t.Errorf("%v: error %v, want one about %s", test.given, err, test.words)
		}
		if _, opened := definition.Open(t.Context(), driver.Config{Values: values}); !errors.Is(opened, jcache.ErrInvalid) {
			t.Errorf("%v: opening ended with %v, want ErrInvalid", test.given, opened)
		}
	}
}

func TestPlaintextIsForLoopback(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	_, err := peer.Connect(ctx, peer.Options{Listen: []string{"0.0.0.0:0"}, Security: peer.Security{Plaintext: true}, Logger: quiet})
	if err == nil || !strings.Contains(err.Error(), "loopback") {
		t.Errorf("error %v, want one that says what plaintext is for", err)
	}
	if _, err := peer.Connect(ctx, peer.Options{FailureTimeout: time.Millisecond, Security: peer.Security{Plaintext: true}}); !errors.Is(err, jcache.ErrInvalid) {
		t.Errorf("a failure timeout that is shorter than a lease: %v", err)
	}
	p := start(t, peer.Options{Security: peer.Security{Plaintext: true}, Logger: quiet})
	if err := p.Ping(ctx); err != nil {
		t.Error(err)
	}
}

// A process that does not know the secret must not begin a second grid beside the one that
// it should be in.
func TestStrangerIsNotLetIn(t *testing.T) {
	member := join(t)
	for name, opts := range map[string]peer.Options{
		"secret": {Security: peer.Security{Secret: "known to nobody else"}},
		"domain": {Security: peer.Security{Secret: secret}, Domain: "another"},
	} {
		t.Run(name, func(t *testing.T) {
			opts.Join, opts.JoinTimeout, opts.Logger = []string{member.Addr()}, 2*time.Second, quiet
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			p, err := peer.Connect(ctx, opts)
			if err == nil {
				_ = p.Close(ctx) // it should not be there
				t.Fatal("it is a member of something")
			}
			if !errors.Is(err, jcache.ErrUnavailable) || !strings.Contains(err.Error(), member.Addr()) || strings.Contains(err.Error(), "nobody else") {
				t.Errorf("error %v, want one that names the address and no secret", err)
			}
			t.Log(err)
		})
	}
}

func TestClosedProvider(t *testing.T) {
	p := join(t)
	if err := p.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := p.Ping(t.Context()); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("ping of a closed provider: %v", err)
	}
	if _, err := p.OpenCache(t.Context(), "c", driver.CacheOptions{}); !errors.Is(err, driver.ErrUnavailable) {
		t.Errorf("a cache of a closed provider: %v", err)
	}
	if err := p.Close(t.Context()); err != nil {
		t.Errorf("closing twice: %v", err)
	}
}

// A check refuses what opening would, all of it at once and at the settings that it is about.
func TestCheckFindsAllProblemsAtOnce(t *testing.T) {
	definition, err := jcache.Definition("peer")
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]any{
		"plaintext": true, "listen": []string{"203.0.113.77:7801"}, "join": []string{"10.1.0.5:0", "10.1.0.6:7801"}, "advertise": "0.0.0.0:7801",
		"replicas": "17", "zone": strings.Repeat("z", 200), "nearBytes": int64(1), "minCopies": int64(9),
	}
	_, _, err = definition.Configure("", given)
	for _, want := range []string{
		`replicas: is neither`, `zone: has more than`, `nearBytes: nearBytes is for mode client only`, `minCopies: must be from 1 to 1`,
		`join: "10.1.0.5:0" does not end`, `advertise: "0.0.0.0:7801" is not one address`, `listen: plaintext is for loopback`,
		`join: plaintext is for loopback`, `listen: this machine has none of these addresses`,
	} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("no problem %q in:\n%v", want, err)
		}
	}
	m, opened := jcache.Open(t.Context(), jcache.Config{Provider: "peer", Settings: given})
	if opened == nil {
		_ = m.Close(t.Context())
		t.Fatal("it is open")
	}
	if !errors.Is(opened, jcache.ErrInvalid) || !strings.Contains(opened.Error(), err.Error()) {
		t.Errorf("opening says:\n%v\nand the check:\n%v", opened, err)
	}
}
