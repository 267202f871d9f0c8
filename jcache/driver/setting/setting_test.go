package setting_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

func TestSettingParse(t *testing.T) {
	size := setting.Setting{Kind: setting.KindSize, Min: 1024, Max: 1 << 20}
	count := setting.Setting{Kind: setting.KindInt, Min: -1, Max: 10}
	timeout := setting.Setting{Kind: setting.KindDuration, Min: int64(time.Second), Max: int64(time.Hour)}
	choice := setting.Setting{Kind: setting.KindString, OneOf: []string{"evict", "reject"}}
	for _, test := range []struct {
		setting setting.Setting
		text    string
		want    any    // or:
		wrong   string // a part of the error
	}{
		{setting.Setting{}, "any text", "any text", ""},
		{setting.Setting{}, "", "", ""},
		{setting.Setting{Kind: setting.KindFile}, "ca.pem", "ca.pem", ""},
		{choice, "evict", "evict", ""},
		{choice, "Evict", nil, `"Evict" is not one of evict, reject`},
		{count, "10", int64(10), ""},
		{count, "-1", int64(-1), ""},
		{count, "-2", nil, "-2 is less than -1"},
		{count, "11", nil, "11 is more than 10"},
		{count, "1.0", nil, `"1.0" is not a whole number`},
		{setting.Setting{Kind: setting.KindInt}, "-1", nil, "-1 is less than 0"},
		{setting.Setting{Kind: setting.KindInt}, "9223372036854775807", int64(1<<63 - 1), ""},
		{setting.Setting{Kind: setting.KindBool}, "true", true, ""},
		{setting.Setting{Kind: setting.KindBool}, "false", false, ""},
		{setting.Setting{Kind: setting.KindBool}, "yes", nil, "neither true nor false"},
		{timeout, "5", 5 * time.Second, ""},
		{timeout, "1m30s", 90 * time.Second, ""},
		{timeout, "5ms", nil, "5ms is less than 1s"},
		{timeout, "2h", nil, "2h is more than 1h"},
		{timeout, "soon", nil, "not a duration"},
		{setting.Setting{Kind: setting.KindDuration, Unit: time.Millisecond}, "5", 5 * time.Millisecond, ""},
		{size, "64KiB", int64(64 << 10), ""},
		{size, "1000", nil, "1000 bytes is less than 1024 bytes"},
		{size, "2MiB", nil, "is more than 1048576 bytes"},
		{size, "big", nil, "not a size"},
		{setting.Setting{Kind: setting.KindList}, " a, b ,,c", []string{"a", "b", "c"}, ""},
		{setting.Setting{Kind: setting.KindList}, " , ", []string(nil), ""},
		{setting.Setting{Kind: setting.KindGroup}, "x", nil, "group"},
		{setting.Setting{Kind: setting.KindInt, Secret: true}, "hunter2", nil, "whole number"},
	} {
		got, err := test.setting.Parse(test.text)
		switch {
		case test.wrong == "" && (err != nil || !reflect.DeepEqual(got, test.want)):
			t.Errorf("%v of %q: got %#v, %v; want %#v", test.setting.Kind, test.text, got, err, test.want)
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
			t.Errorf("%v of %q: got error %v, want one with %q", test.setting.Kind, test.text, err, test.wrong)
		case test.setting.Secret && strings.Contains(err.Error(), test.text):
			t.Errorf("the error repeats a secret: %v", err)
		}
	}
}

var settings = []setting.Setting{
	{Name: "name", Default: "x"},
	{Name: "count", Kind: setting.KindInt, Default: "-1", Min: 1},
	{Name: "on", Kind: setting.KindBool, Default: "true"},
	{Name: "timeout", Kind: setting.KindDuration, Default: "5s"},
	{Name: "size", Kind: setting.KindSize},
	{Name: "servers", Kind: setting.KindList, Required: true},
	{Name: "file", Kind: setting.KindFile, Default: "ca.pem"},
	{Name: "group", Kind: setting.KindGroup, Group: []setting.Setting{{Name: "inner", Default: "y"}}},
}

func TestValues(t *testing.T) {
	v, err := setting.NewValues(settings, map[string]any{"servers": []string{"a:1"}, "size": int64(7)})
	if err != nil {
		t.Fatal(err)
	}
	if v.String("name") != "x" || v.Int("count") != -1 || !v.Bool("on") || v.Duration("timeout") != 5*time.Second || v.Int("size") != 7 || v.String("file") != "ca.pem" ||
		!reflect.DeepEqual(v.List("servers"), []string{"a:1"}) || v.Group("group").String("inner") != "y" {
		t.Errorf("got %+v", v)
	}
	if !v.Given("servers") || !v.Given("size") || v.Given("name") || v.Given("nothing") {
		t.Error("Given does not tell what was given from what was not")
	}
	if v.String("nothing") != "" || v.Int("name") != 0 || v.Bool("nothing") || v.Duration("nothing") != 0 || v.List("nothing") != nil || v.Group("nothing").Given("x") {
		t.Error("what was not declared is not zero")
	}
	inner, err := setting.NewValues(settings[len(settings)-1].Group, map[string]any{"inner": "z"})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = setting.NewValues(settings, map[string]any{"servers": []string(nil), "group": inner}); err != nil || v.Group("group").String("inner") != "z" {
		t.Errorf("a group that is given: %+v, %v", v, err)
	}
}

func TestValuesRefuse(t *testing.T) {
	servers := []string{"a:1"}
	for wrong, given := range map[string]map[string]any{
		"servers is required":                          {},
		`unknown setting "serverz"`:                    {"servers": servers, "serverz": servers},
		"count takes a whole number, not a int":        {"servers": servers, "count": 5},
		"name takes a text, not a bool":                {"servers": servers, "name": true},
		"on takes a true or false, not a string":       {"servers": servers, "on": "true"},
		"timeout takes a duration, not a int64":        {"servers": servers, "timeout": int64(5)},
		"size takes a size, not a string":              {"servers": servers, "size": "5"},
		"servers takes a list, not a string":           {"servers": "a:1"},
		"group takes a group, not a map[string]string": {"servers": servers, "group": map[string]string{}},
		"name takes a text, not a <nil>":               {"servers": servers, "name": nil},
	} {
		if _, err := setting.NewValues(settings, given); err == nil || err.Error() != wrong {
			t.Errorf("got error %v, want %q", err, wrong)
		}
	}
}
