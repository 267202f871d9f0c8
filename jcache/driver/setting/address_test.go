package setting_test

import (
	"net"
	"strings"
	"testing"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

func TestHostPort(t *testing.T) {
	for text, want := range map[string]string{
		"a": "a:11", "a:1": "a:1", "::1": "[::1]:11", "[::1]": "[::1]:11", "[::1]:1": "[::1]:1", "127.0.0.1": "127.0.0.1:11",
		"": "", ":1": "", "a:": "", "a:0": "", "a:65536": "", "a:b": "", "a b": "", "user@a": "", "http://a": "", "a:1:2": "", "a\x7f": "",
	} {
		if got, err := setting.HostPort(text, "11"); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v", text, got, err)
		}
	}
}

// FuzzHostPort: what is accepted can be dialled, and is read as itself.
func FuzzHostPort(f *testing.F) {
	for _, text := range []string{"a", "a:1", "[::1]:1", "fe80::1%eth0", "a@b", ":"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		addr, err := setting.HostPort(text, "11")
		if err != nil {
			return
		}
		if host, port, err := net.SplitHostPort(addr); err != nil || host == "" || port == "" {
			t.Errorf("%q is read as %q: %v", text, addr, err)
		}
		if again, err := setting.HostPort(addr, "12"); again != addr || err != nil {
			t.Errorf("%q is read as %q, and that as %q: %v", text, addr, again, err)
		}
	})
}

func TestAddresses(t *testing.T) {
	read := func(text string) (string, error) { return setting.HostPort(text, "11") }
	if list, err := setting.Addresses([]string{"b", "a:11", "c"}, read); err != nil || strings.Join(list, " ") != "b:11 a:11 c:11" {
		t.Error(list, err)
	}
	_, err := setting.Addresses([]string{"a", "a:11", "x y"}, read)
	if err == nil || !strings.Contains(err.Error(), "a:11 is given twice") || !strings.Contains(err.Error(), `"x y" is not`) {
		t.Error(err)
	}
}

func TestCheckPrefix(t *testing.T) {
	for text, good := range map[string]bool{"a": true, "A.b_c-9": true, "": false, "a:b": false, strings.Repeat("x", 65): false} {
		if err := setting.CheckPrefix(text); (err == nil) != good {
			t.Errorf("%q: %v", text, err)
		}
	}
}
