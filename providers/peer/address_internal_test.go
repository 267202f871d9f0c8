package peer

import (
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A process that listens on all addresses tells the others the one private address of the
// machine; if there are several, it asks.
func TestAdvertisedAddressOfAllAddresses(t *testing.T) {
	for _, test := range []struct {
		listen    string
		private   string
		advertise string
		want      reached
		problem   string
	}{
		{"0.0.0.0:7801", "10.1.0.5", "", reached{host: "10.1.0.5"}, ""},
		{":7801", "10.1.0.5 fd00::5", "", reached{host: "10.1.0.5"}, ""},
		{"[::]:7801", "10.1.0.5 fd00::5", "", reached{host: "10.1.0.5"}, ""},
		{"0.0.0.0:7801", "fd00::5", "", reached{host: "198.51.100.7"}, ""}, // there is no other
		{"0.0.0.0:7801", "-", "", reached{}, "has none at which others could reach it"},
		{"[::]:7801", "- fd00::5", "", reached{host: "fd00::5"}, ""},
		{"0.0.0.0:7801", "10.1.0.5 172.17.0.1", "", reached{}, "could reach it at 10.1.0.5, 172.17.0.1"},
		{"0.0.0.0:7801", "", "", reached{host: "198.51.100.7"}, ""},
		{"0.0.0.0:7801", "10.1.0.5 172.17.0.1", "10.1.0.5", reached{host: "10.1.0.5"}, ""},
		{"0.0.0.0:7801", "10.1.0.5 172.17.0.1", "shop-1.example:7801", reached{addr: "shop-1.example:7801"}, ""},
		{"10.1.0.5:7801", "10.1.0.5 172.17.0.1", "", reached{}, ""},
		{"10.1.0.5:7801", "10.1.0.5", "fd00::5", reached{host: "fd00::5"}, ""},
		{"10.1.0.5:7801", "10.1.0.5", "[fd00::5]:7801", reached{addr: "[fd00::5]:7801"}, ""},
		{"10.1.0.6:7801", "10.1.0.5", "", reached{}, "listen: this machine has none of these addresses; it has 127.0.0.1, ::1, 198.51.100.7, 10.1.0.5"},
		{"10.1.0.5:7801", "10.1.0.5", "10.1.0.5:0", reached{}, "advertise: "},
		{"10.1.0.5:7801", "10.1.0.5", "[::]", reached{}, "advertise: "},
		{"10.1.0.5:7801", "10.1.0.5", "10.1.0.5:7801-7803", reached{}, "advertise: "},
	} {
		public := []string{"127.0.0.1", "::1", "198.51.100.7"}
		private := strings.Fields(test.private)
		if len(private) > 0 && private[0] == "-" {
			public, private = public[:2], private[1:]
		}
		o := Options{Listen: []string{test.listen}, Advertise: test.advertise, Security: Security{Secret: "a secret of the tests"},
			machine: &machine{all: append(public, private...), private: private}}
		o = o.withDefaults()
		got, err := o.check(setting.Of(settings, &o))
		switch {
		case test.problem == "" && (err != nil || got != test.want):
			t.Errorf("%s, private %s: got %+v, %v", test.listen, test.private, got, err)
		case test.problem != "" && (err == nil || !strings.Contains(err.Error(), test.problem)):
			t.Errorf("%s, private %s: got %v, want %s", test.listen, test.private, err, test.problem)
		}
	}
}

// What is advertised is where the process can be reached, and Addr says it.
func TestAdvertisedHostHasThePortThatIsListenedOn(t *testing.T) {
	o := Options{Listen: []string{"0.0.0.0:0"}, Advertise: "127.0.0.1", Security: Security{Secret: "a secret of the tests"}}
	p, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close(t.Context()) //nolint:errcheck // it is the end of the test
	if addr := p.Addr(); !strings.HasPrefix(addr, "127.0.0.1:") || strings.HasSuffix(addr, ":0") {
		t.Fatalf("the address is %s", addr)
	}
	o.Join = []string{p.Addr()}
	second, err := Connect(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close(t.Context()) //nolint:errcheck // it is the end of the test
	if n := second.Members(); n != 2 {
		t.Errorf("%d members", n)
	}
}

// Without a secret only loopback addresses will do; what a name stands for is found out when it is used.
func TestPlaintextAddresses(t *testing.T) {
	for _, test := range []struct {
		listen, join, advertise string
		ok                      bool
	}{
		{"127.0.0.1:1", "nosuch.example.invalid:2", "", true},
		{"localhost:1", "[::1]:2", "127.0.0.1", true},
		{"127.0.0.1:1", "10.1.0.5:2", "", false},
		{":1", "", "127.0.0.1:1", false},
		{"127.0.0.1:1", "", "shop-1.example:1", false},
	} {
		o := Options{Listen: []string{test.listen}, Advertise: test.advertise, Security: Security{Plaintext: true}}
		if test.join != "" {
			o.Join = []string{test.join}
		}
		o = o.withDefaults()
		if _, err := o.check(setting.Of(settings, &o)); (err == nil) != test.ok || err != nil && !strings.Contains(err.Error(), "loopback") {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
