package setting_test

import (
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

type options struct {
	Mode     mode
	Servers  []string
	User     string
	Password string
	Idle     int
	Bytes    int64
	Wait     time.Duration
	Plain    bool
	Copies   int
	CA, Key  string
}

type mode uint8

var declared = []setting.Setting{
	setting.Choice(setting.Setting{Name: "mode", Default: "both"}, func(o *options) *mode { return &o.Mode }, map[string]mode{"both": 0, "client": 1}),
	setting.Into(setting.Setting{Name: "servers", Required: true}, func(o *options) *[]string { return &o.Servers }),
	setting.Into(setting.Setting{Name: "user"}, func(o *options) *string { return &o.User }),
	setting.Into(setting.Setting{Name: "password", Secret: true}, func(o *options) *string { return &o.Password }),
	setting.Into(setting.Setting{Name: "idle", Default: "128", Min: 1, Max: 1000}, func(o *options) *int { return &o.Idle }),
	setting.Into(setting.Setting{Name: "bytes", Kind: setting.KindSize}, func(o *options) *int64 { return &o.Bytes }),
	setting.Into(setting.Setting{Name: "wait", Default: "1s", Min: int64(time.Millisecond)}, func(o *options) *time.Duration { return &o.Wait }),
	setting.Into(setting.Setting{Name: "plain"}, func(o *options) *bool { return &o.Plain }),
	setting.Parsed(setting.Setting{Name: "copies", Default: "some"}, func(o *options) *int { return &o.Copies }, parseCopies),
	{Name: "tls", Kind: setting.KindGroup, Group: []setting.Setting{
		setting.Into(setting.Setting{Name: "ca", Kind: setting.KindFile}, func(o *options) *string { return &o.CA }),
		setting.Into(setting.Setting{Name: "key", Kind: setting.KindFile}, func(o *options) *string { return &o.Key }),
	}, Rules: []setting.Rule{setting.Together("ca", "key")}},
}

func parseCopies(text string) (int, error) {
	if text != "some" {
		return 0, setting.Problemf("", "is not some")
	}
	return 7, nil
}

var rules = []setting.Rule{
	setting.Together("user", "password"),
	setting.AtMostOne("user", "tls", "plain"),
	setting.AtLeastOne("user", "tls", "plain").Because("somebody must be trusted"),
	setting.OnlyWith("bytes", "mode", "client"),
	setting.RequiredWith("idle", "mode", "client"),
	setting.Requires("wait", "idle"),
}

// Each rule refuses what breaks it, at the setting that does, and nothing else; values of nothing
// count as not given.
func TestRules(t *testing.T) {
	tls := func(given map[string]any) setting.Values {
		v, err := setting.NewValues(declared[len(declared)-1].Group, given)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for _, test := range []struct {
		given map[string]any
		want  string
	}{
		{map[string]any{"plain": true}, ""},
		{map[string]any{"plain": false}, "user, tls or plain is required: somebody must be trusted"},
		{map[string]any{"user": "u", "password": "p"}, ""},
		{map[string]any{"plain": true, "user": ""}, ""},
		{map[string]any{"user": "u"}, "user: user and password go together; password is missing"},
		{map[string]any{"user": "u", "password": setting.Unread{}}, ""},
		{map[string]any{"user": "u", "password": "p", "plain": true}, "plain: user, tls and plain exclude each other"},
		{map[string]any{"plain": true, "tls": tls(nil)}, ""},
		{map[string]any{"tls": tls(map[string]any{"ca": "a"})}, "tls.ca: ca and key go together; key is missing"},
		{map[string]any{"tls": tls(map[string]any{"ca": "a", "key": setting.Unread{}})}, ""},
		{map[string]any{"plain": true, "bytes": int64(5)}, "bytes: bytes is for mode client only"},
		{map[string]any{"plain": true, "bytes": int64(5), "mode": "client", "idle": int64(1)}, ""},
		{map[string]any{"plain": true, "mode": "client"}, "mode: idle is required with mode client"},
		{map[string]any{"plain": true, "wait": time.Second}, "wait: wait needs idle"},
		{map[string]any{"plain": true, "idle": int64(0)}, "idle: 0 is less than 1"},
		{map[string]any{"plain": true, "mode": "cleint"}, `mode: "cleint" is not one of both, client`},
		{map[string]any{"plain": true, "copies": "many"}, "copies: is not some"},
		{map[string]any{"plain": true, "servers": []string{}}, "servers: is required"},
	} {
		if _, ok := test.given["servers"]; !ok {
			test.given["servers"] = []string{"a"}
		}
		v, err := setting.NewValues(declared, test.given)
		if err != nil {
			t.Fatal(err)
		}
		err = setting.Validate(declared, rules, v)
		if got := errorText(err); got != test.want {
			t.Errorf("%v: got %q, want %q", test.given, got, test.want)
		}
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Values fill the fields of options, and options are checked as values are.
func TestFields(t *testing.T) {
	v, err := setting.NewValues(declared, map[string]any{"servers": []string{"a"}, "mode": "client", "idle": int64(9), "wait": 3 * time.Second, "plain": true})
	if err != nil {
		t.Fatal(err)
	}
	var o options
	setting.Fill(declared, v, &o)
	if o.Mode != 1 || o.Servers[0] != "a" || o.Idle != 9 || o.Wait != 3*time.Second || !o.Plain || o.Copies != 7 {
		t.Errorf("got %+v", o)
	}
	if err := setting.Validate(declared, rules, setting.Of(declared, &o)); err != nil {
		t.Error(err)
	}
	for want, change := range map[string]func(*options){
		"idle: -1 is less than 1":                              func(o *options) { o.Idle = -1 },
		"servers: is required":                                 func(o *options) { o.Servers = nil },
		"user: user and password go together":                  func(o *options) { o.User, o.Plain = "u", false },
		"bytes: bytes is for mode client only":                 func(o *options) { o.Mode, o.Bytes = 0, 5 },
		"tls.key: ca and key go together; ca is missing":       func(o *options) { o.Key = "k" },
		"plain: user, tls and plain exclude each other":        func(o *options) { o.CA, o.Key = "a", "b" },
		"idle is required with mode client":                    func(o *options) { o.Idle, o.Wait = 0, 0 },
		"user, tls or plain is required: somebody must be tru": func(o *options) { o.Plain = false },
	} {
		changed := o
		change(&changed)
		if err := setting.Validate(declared, rules, setting.Of(declared, &changed)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
}
