package configfile_test

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/keepsake-cache/keepsake/configfile"
)

// seenBySchemas are invalid documents that both schemas must refuse.
var seenBySchemas = []string{"unknown-names", "wrong-values", "refused-attributes", "unknown-provider"}

func TestJSONSchema(t *testing.T) {
	data, err := configfile.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	v := validator{schema}
	for _, dir := range cases(t, "ok") {
		if err := v.document(read(t, filepath.Join(dir, "in.yaml"))); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	}
	for _, name := range append(seenBySchemas, "misplaced-names", "missing-settings", "no-cache-manager", "lists-and-groups") {
		if err := v.document(read(t, filepath.Join("testdata/bad", name, "in.yaml"))); !errors.Is(err, errInvalid) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, text := range []string{
		"cacheManager: {provider: memcached, properties: {servers: a, user: app}}",
		"cacheManager: {provider: memcached, properties: {servers: a, tls: {keyFile: k}}}",
		"cacheManager: {provider: hazelcast, properties: {servers: a, password: p}}",
		"cacheManager: {provider: peer}",
		"cacheManager: {provider: peer, properties: {secret: sixteen characters, plaintext: true}}",
		"cacheManager: {provider: peer, properties: {secret: sixteen characters, nearBytes: 1MiB}}",
		"cacheManager: {provider: peer, properties: {secret: sixteen characters, mode: client}}",
		"cacheManager: {provider: odd, properties: {size: 1 PB}}", "cacheManager: {provider: odd, properties: {list: [[]]}}"} {
		if err := v.document([]byte(text)); !errors.Is(err, errInvalid) {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// What the rules of a provider's settings allow, the schema allows.
func TestJSONSchemaKnowsRules(t *testing.T) {
	data, err := configfile.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	var schema any
	if err := json.Unmarshal(data, &schema); err != nil {
		t.Fatal(err)
	}
	for _, properties := range []string{
		"{secret: sixteen characters, plaintext: false}", "{secret: sixteen characters, mode: client, join: 'a:1', nearBytes: 1MiB}",
		"{secret: '${SECRET}', mode: '${MODE}', nearBytes: 1MiB}", "{plaintext: true, nearBytes: 0}", "{tls: {caFile: a, certFile: b, keyFile: c}}",
	} {
		if err := (validator{schema}).document([]byte("cacheManager: {provider: peer, properties: " + properties + "}")); err != nil {
			t.Errorf("%s: %v", properties, err)
		}
	}
}

func TestXSDIsWellFormed(t *testing.T) {
	data, err := configfile.XSD()
	if err != nil {
		t.Fatal(err)
	}
	d := xml.NewDecoder(strings.NewReader(string(data)))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			return
		} else if err != nil {
			t.Fatal(err)
		}
	}
}

func TestXSD(t *testing.T) {
	xmllint, err := exec.LookPath("xmllint")
	if err != nil {
		const advice = "xmllint is not installed; install it with: apt-get install -y libxml2-utils"
		if os.Getenv("CI") == "true" {
			t.Fatal(advice)
		}
		t.Skip("SKIPPED: " + advice)
	}
	data, err := configfile.XSD()
	if err != nil {
		t.Fatal(err)
	}
	schema := filepath.Join(t.TempDir(), "keepsake.xsd")
	if err := os.WriteFile(schema, data, 0o600); err != nil {
		t.Fatal(err)
	}
	lint := func(file string) (string, error) {
		out, err := exec.CommandContext(t.Context(), xmllint, "--noout", "--schema", schema, file).CombinedOutput()
		return string(out), err
	}
	for _, dir := range cases(t, "ok") {
		if out, err := lint(filepath.Join(dir, "in.xml")); err != nil {
			t.Errorf("%s: %v\n%s", dir, err, out)
		}
	}
	for _, name := range seenBySchemas {
		if out, err := lint(filepath.Join("testdata/bad", name, "in.xml")); err == nil || !strings.Contains(out, "fails to validate") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

var errInvalid = errors.New("not valid")

// A validator knows as much of JSON Schema as the generated one uses, and refuses the
// rest.
type validator struct{ root any }

func (v validator) document(data []byte) error {
	var value any
	if err := yaml.Unmarshal(data, &value); err != nil {
		return err
	}
	return v.check(v.root, value)
}

func (v validator) check(schema, value any) error {
	for keyword, arg := range schema.(map[string]any) {
		if err := v.keyword(schema.(map[string]any), keyword, arg, value); err != nil {
			return err
		}
	}
	return nil
}

func (v validator) keyword(schema map[string]any, keyword string, arg, value any) error {
	object, _ := value.(map[string]any)
	ok := true
	switch keyword {
	case "$schema", "title", "description", "default", "definitions", "then":
	case "$ref":
		name := strings.TrimPrefix(arg.(string), "#/definitions/")
		return v.check(v.root.(map[string]any)["definitions"].(map[string]any)[name], value)
	case "type":
		types, many := arg.([]any)
		if !many {
			types = []any{arg}
		}
		ok = slices.ContainsFunc(types, func(name any) bool { return isType(name.(string), value) })
	case "enum":
		ok = slices.ContainsFunc(arg.([]any), func(one any) bool { return same(one, value) })
	case "const":
		ok = same(arg, value)
	case "pattern":
		text, isText := value.(string)
		ok = !isText || regexp.MustCompile(arg.(string)).MatchString(text)
	case "minimum":
		n, isInt := value.(int)
		ok = !isInt || float64(n) >= arg.(float64)
	case "maximum":
		n, isInt := value.(int)
		ok = !isInt || float64(n) <= arg.(float64)
	case "required":
		for _, name := range arg.([]any) {
			if _, has := object[name.(string)]; object != nil && !has {
				return fmt.Errorf("%w: %v is required", errInvalid, name)
			}
		}
	case "additionalProperties":
		for name := range object {
			if _, known := schema["properties"].(map[string]any)[name]; !known {
				return fmt.Errorf("%w: %v is unknown", errInvalid, name)
			}
		}
	case "properties":
		for name, inner := range arg.(map[string]any) {
			if one, has := object[name]; has {
				if err := v.check(inner, one); err != nil {
					return fmt.Errorf("%s: %w", name, err)
				}
			}
		}
	case "items":
		list, _ := value.([]any)
		for _, one := range list {
			if err := v.check(arg, one); err != nil {
				return err
			}
		}
	case "anyOf":
		ok = slices.ContainsFunc(arg.([]any), func(one any) bool { return v.check(one, value) == nil })
	case "allOf":
		for _, one := range arg.([]any) {
			if err := v.check(one, value); err != nil {
				return err
			}
		}
	case "not":
		ok = v.check(arg, value) != nil
	case "if":
		if v.check(arg, value) == nil {
			return v.check(schema["then"], value)
		}
	default:
		return fmt.Errorf("the validator does not know %s", keyword)
	}
	if !ok {
		return fmt.Errorf("%w: %v is not %s %v", errInvalid, value, keyword, arg)
	}
	return nil
}

func isType(name string, value any) bool {
	switch value.(type) {
	case nil:
		return name == "null"
	case bool:
		return name == "boolean"
	case string:
		return name == "string"
	case int:
		return name == "integer" || name == "number"
	case float64:
		return name == "number"
	case []any:
		return name == "array"
	case map[string]any:
		return name == "object"
	}
	return false
}

func same(a, b any) bool {
	if n, ok := b.(int); ok {
		b = float64(n)
	}
	return reflect.DeepEqual(a, b)
}

// Whoever writes a number without a unit reads beside the setting what it counts.
func TestBareNumbersAreDocumented(t *testing.T) {
	for _, row := range regexp.MustCompile("(?m)^\\| `[^`]+` \\| (duration|size) .*$").FindAllString(string(configfile.Markdown()), -1) {
		if !regexp.MustCompile("^\\| `[^`]+` \\| (duration \\((s|1ms)\\)|size \\(bytes\\)) \\|").MatchString(row) {
			t.Errorf("no unit: %s", row)
		}
	}
	data, err := configfile.JSONSchema()
	if err != nil {
		t.Fatal(err)
	}
	schema := string(data)
	for _, want := range []string{"A time. A bare number counts s.", "A time in milliseconds. A bare number counts 1ms.", "A size. A bare number counts bytes."} {
		if !strings.Contains(schema, want) {
			t.Errorf("the schema lacks %q", want)
		}
	}
}
