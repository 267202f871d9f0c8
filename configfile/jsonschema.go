package configfile

import (
	"encoding/json"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
	"github.com/keepsake-cache/keepsake/jcache/driver/setting"
)

// A schema is an object of JSON Schema.
type schema map[string]any

// JSONSchema returns a schema of the YAML document, for editors: JSON Schema, draft 7. It
// knows the settings of the providers that are linked into the program. Many editors find
// it by a comment in the first line: # yaml-language-server: $schema=keepsake.json
func JSONSchema() ([]byte, error) {
	defs := make(schema)
	root := elementSchema(documentElement, defs)
	root["$schema"] = "http://json-schema.org/draft-07/schema#"
	root["title"] = "Keepsake configuration"
	root["type"] = "object"
	root["required"] = []string{managerElement.name}
	root["definitions"] = defs
	var choices []schema
	for _, d := range definitions() {
		properties := elementSchema(propertiesOf(d), defs)
		then := schema{"properties": schema{propertiesName: properties}}
		if properties["type"] == "object" { // and not null as well
			then["required"] = []string{propertiesName}
		}
		choices = append(choices, schema{
			"if":   schema{"properties": schema{providerWord: schema{"const": d.Name}}},
			"then": then,
		})
	}
	manager := defs[managerElement.name].(schema)
	manager["allOf"] = choices
	manager["properties"].(schema)[providerWord] = schema{
		"anyOf": []schema{{"enum": jcache.Providers()}, variableSchema}, "description": "Which kind of backend keeps the entries.",
	}
	return json.MarshalIndent(root, "", "  ")
}

// elementSchema describes what is in an element. Elements that may be repeated are put
// into defs.
func elementSchema(e *element, defs schema) schema {
	properties := make(schema)
	var required []string
	for _, w := range e.words {
		properties[w.Name] = settingSchema(w.Setting)
		if w.Required {
			required = append(required, w.Name)
		}
	}
	for _, f := range e.fixed {
		properties[f.Name] = schema{"enum": spellings(f.only), "description": f.doc()}
	}
	for _, in := range e.inner {
		switch {
		case in.byProvider:
			properties[in.name] = schema{"description": in.doc}
		case in.repeated:
			defs[in.name] = elementSchema(in, defs)
			one := schema{"$ref": "#/definitions/" + in.name}
			properties[in.name] = schema{"anyOf": []schema{one, {"type": "array", "items": one}}}
		default:
			properties[in.name] = elementSchema(in, defs)
		}
	}
	s := schema{
		"type": []string{"object", "null"}, "description": e.doc,
		"properties": properties, "additionalProperties": false,
	}
	if required != nil {
		s["type"], s["required"] = "object", required
	}
	var all []schema
	for _, r := range e.rules {
		all = append(all, ruleSchema(r))
		if r.Kind == setting.RuleAtLeastOne {
			s["type"] = "object"
		}
	}
	if all != nil {
		s["allOf"] = all
	}
	return s
}

// ruleSchema says what a rule does. A variable may stand for nothing, so that what is wrong may
// be right after all; the schema takes it for something.
func ruleSchema(r setting.Rule) schema {
	var given, absent []schema
	for _, name := range r.Names {
		given = append(given, givenSchema(name))
		absent = append(absent, schema{"not": givenSchema(name)})
	}
	when := schema{"properties": schema{r.Other: schema{"const": r.Value}}, "required": []string{r.Other}}
	switch r.Kind {
	case setting.RuleTogether:
		return schema{"anyOf": []schema{{"allOf": given}, {"allOf": absent}}}
	case setting.RuleRequires:
		return schema{"anyOf": []schema{absent[0], given[1]}}
	case setting.RuleAtMostOne:
		var pairs []schema
		for i := range given {
			for j := range i {
				pairs = append(pairs, schema{"not": schema{"allOf": []schema{given[i], given[j]}}})
			}
		}
		return schema{"allOf": pairs}
	case setting.RuleAtLeastOne:
		return schema{"anyOf": given}
	case setting.RuleOnlyWith:
		return schema{"anyOf": []schema{absent[0], when, {"properties": schema{r.Other: variableSchema}, "required": []string{r.Other}}}}
	default: // setting.RuleRequiredWith
		return schema{"if": when, "then": given[0]}
	}
}

// givenSchema accepts an object in which a setting is more than nothing.
func givenSchema(path string) schema {
	name, inner, nested := strings.Cut(path, ".")
	is := schema{"not": schema{"enum": []any{nil, "", false, "false", 0, "0", []any{}}}}
	if nested {
		is = givenSchema(inner)
	}
	return schema{"type": "object", "required": []string{name}, "properties": schema{name: is}}
}

// settingSchema describes a scalar, or a list.
func settingSchema(s driver.Setting) schema {
	one := make(schema)
	switch {
	case len(s.OneOf) > 0:
		one["anyOf"] = []schema{{"enum": s.OneOf}, variableSchema}
	case s.Kind == driver.KindList:
		text := schema{"type": scalarTypes}
		one["anyOf"] = []schema{text, {"type": "array", "items": text}}
	case s.Kind == driver.KindBool:
		one["type"] = []string{"boolean", "string"}
	case s.Kind == driver.KindInt:
		one["type"] = []string{"integer", "string"}
		one["minimum"] = s.Min
		if s.Max != 0 {
			one["maximum"] = s.Max
		}
	case s.Kind == driver.KindDuration, s.Kind == driver.KindSize:
		one["type"] = []string{"integer", "string"}
	default:
		one["type"] = scalarTypes
	}
	if pattern, ok := kindPattern[s.Kind]; ok {
		one["pattern"] = "^(" + pattern + "|" + variablePattern + ")$"
	}
	one["description"] = docOf(s)
	if all := spellings(s.Default); s.Default != "" {
		one["default"] = all[len(all)-1]
	}
	return one
}

var (
	scalarTypes    = []string{"string", "number", "boolean"}
	variableSchema = schema{"type": "string", "pattern": variablePattern}
)

// spellings returns a scalar as YAML may have it: a text, and what it is without quotes.
func spellings(text string) []any {
	var plain any
	if json.Unmarshal([]byte(text), &plain) != nil {
		return []any{text}
	}
	return []any{text, plain}
}

const variablePattern = `.*[$]\{.+\}.*`

// kindPattern has the regular expressions of the texts of kinds, in the common part of JSON
// Schema's and XML Schema's languages.
var kindPattern = map[driver.Kind]string{
	driver.KindBool:     `true|false`,
	driver.KindInt:      `-?[0-9]+`,
	driver.KindDuration: `-?[0-9]+|([0-9]+(d|h|m|s|ms))+`,
	driver.KindSize:     `[0-9]+ *(B|kB|KB|MB|GB|KiB|MiB|GiB)?`,
}
