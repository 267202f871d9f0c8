package memcached

import (
	"testing"
)

func TestParseAddress(t *testing.T) {
	for text, want := range map[string]address{
		"cache": "cache:11211", "cache:1": "cache:1", "10.0.0.1": "10.0.0.1:11211", "::1": "[::1]:11211", "[::1]": "[::1]:11211", "[::1]:5": "[::1]:5",
		"": "", ":1": "", "a:b:c": "", "a/b": "", "user@host": "", "a b": "", "a:": "", "a:65536": "", "a:-1": "", "[a]:1:2": "",
	} {
		if got, err := parseAddress(text); got != want || (err == nil) != (want != "") {
			t.Errorf("%q: %q, %v; want %q", text, got, err, want)
		}
	}
}
