package driver_test

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

func TestSettingParse(t *testing.T) {
	size := driver.Setting{Kind: driver.KindSize, Min: 1024, Max: 1 << 20}
	count := driver.Setting{Kind: driver.KindInt, Min: -1, Max: 10}
	timeout := driver.Setting{Kind: driver.KindDuration, Min: int64(time.Second), Max: int64(time.Hour)}
	choice := driver.Setting{Kind: driver.KindString, OneOf: []string{"evict", "reject"}}
	for _, test := range []struct {
		setting driver.Setting
		text    string
		want    any    // or:
		wrong   string // a part of the error
	}{
		{driver.Setting{}, "any text", "any text", ""},
		{driver.Setting{}, "", "", ""},
		{driver.Setting{Kind: driver.KindFile}, "ca.pem", "ca.pem", ""},
		{choice, "evict", "evict", ""},
		{choice, "Evict", nil, `"Evict" is not one of evict, reject`},
		{count, "10", int64(10), ""},
		{count, "-1", int64(-1), ""},
		{count, "-2", nil, "-2 is less than -1"},
		{count, "11", nil, "11 is more than 10"},
		{count, "1.0", nil, `"1.0" is not a whole number`},
		{driver.Setting{Kind: driver.KindInt}, "-1", nil, "-1 is less than 0"},
		{driver.Setting{Kind: driver.KindInt}, "9223372036854775807", int64(1<<63 - 1), ""},
		{driver.Setting{Kind: driver.KindBool}, "true", true, ""},
		{driver.Setting{Kind: driver.KindBool}, "false", false, ""},
		{driver.Setting{Kind: driver.KindBool}, "yes", nil, "neither true nor false"},
		{timeout, "5", 5 * time.Second, ""},
		{timeout, "1m30s", 90 * time.Second, ""},
		{timeout, "5ms", nil, "5ms is less than 1s"},
		{timeout, "2h", nil, "2h is more than 1h"},
		{timeout, "soon", nil, "not a duration"},
		{driver.Setting{Kind: driver.KindDuration, Unit: time.Millisecond}, "5", 5 * time.Millisecond, ""},
		{size, "64KiB", int64(64 << 10), ""},
		{size, "1000", nil, "1000 bytes is less than 1024 bytes"},
		{size, "2MiB", nil, "is more than 1048576 bytes"},
		{size, "big", nil, "not a size"},
		{driver.Setting{Kind: driver.KindList}, " a, b ,,c", []string{"a", "b", "c"}, ""},
		{driver.Setting{Kind: driver.KindList}, " , ", []string(nil), ""},
		{driver.Setting{Kind: driver.KindGroup}, "x", nil, "group"},
		{driver.Setting{Kind: driver.KindInt, Secret: true}, "hunter2", nil, "whole number"},
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

var settings = []driver.Setting{
	{Name: "name", Default: "x"},
	{Name: "count", Kind: driver.KindInt, Default: "-1", Min: 1},
	{Name: "on", Kind: driver.KindBool, Default: "true"},
	{Name: "timeout", Kind: driver.KindDuration, Default: "5s"},
	{Name: "size", Kind: driver.KindSize},
	{Name: "servers", Kind: driver.KindList, Required: true},
	{Name: "file", Kind: driver.KindFile, Default: "ca.pem"},
	{Name: "group", Kind: driver.KindGroup, Group: []driver.Setting{{Name: "inner", Default: "y"}}},
}

func TestValues(t *testing.T) {
	v, err := driver.NewValues(settings, map[string]any{"servers": []string{"a:1"}, "size": int64(7)})
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
	inner, err := driver.NewValues(settings[len(settings)-1].Group, map[string]any{"inner": "z"})
	if err != nil {
		t.Fatal(err)
	}
	if v, err = driver.NewValues(settings, map[string]any{"servers": []string(nil), "group": inner}); err != nil || v.Group("group").String("inner") != "z" {
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
		if _, err := driver.NewValues(settings, given); err == nil || err.Error() != wrong {
			t.Errorf("got error %v, want %q", err, wrong)
		}
	}
}
