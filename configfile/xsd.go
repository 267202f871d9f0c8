package configfile

import (
	"encoding/xml"
	"fmt"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache"
	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// The parts of an XML schema that are needed here.
type (
	xsdSchema struct {
		XMLName   xml.Name  `xml:"xs:schema"`
		Namespace string    `xml:"xmlns:xs,attr"`
		Types     []xsdType `xml:"xs:simpleType"`
		Root      xsdItem   `xml:"xs:element"`
	}
	// An xsdItem is an element or an attribute.
	xsdItem struct {
		Name    string      `xml:"name,attr"`
		Type    string      `xml:"type,attr,omitempty"`
		Doc     string      `xml:"xs:annotation>xs:documentation,omitempty"`
		Simple  *xsdType    `xml:"xs:simpleType"`
		Complex *xsdComplex `xml:"xs:complexType"`
	}
	xsdType struct {
		Name        string          `xml:"name,attr,omitempty"`
		Restriction *xsdRestriction `xml:"xs:restriction"`
		Union       *xsdUnion       `xml:"xs:union"`
	}
	xsdRestriction struct {
		Base     string     `xml:"base,attr"`
		Patterns []xsdFacet `xml:"xs:pattern"`
		Texts    []xsdFacet `xml:"xs:enumeration"`
	}
	xsdFacet struct {
		Value string `xml:"value,attr"`
	}
	xsdUnion struct {
		Members string  `xml:"memberTypes,attr"`
		Type    xsdType `xml:"xs:simpleType"`
	}
	// An xsdComplex type has its elements in any order.
	xsdComplex struct {
		Choice     *xsdChoice `xml:"xs:choice"`
		Attributes []xsdItem  `xml:"xs:attribute"`
	}
	xsdChoice struct {
		Min      string    `xml:"minOccurs,attr"`
		Max      string    `xml:"maxOccurs,attr"`
		Elements []xsdItem `xml:"xs:element"`
	}
)

// XSD returns a schema of the XML document, for editors: XML Schema 1.0. It knows the
// settings of the providers that are linked into the program. The language cannot say that a
// scalar is required, since it may be an attribute or an element, nor which provider takes
// which settings. Editors find it by an attribute of the root:
// xsi:noNamespaceSchemaLocation="keepsake.xsd".
func XSD() ([]byte, error) {
	s := xsdSchema{Namespace: "http://www.w3.org/2001/XMLSchema", Root: xsdElement(documentElement)}
	s.Types = []xsdType{
		{Name: xsdVariable, Restriction: &xsdRestriction{Base: xsdBase, Patterns: facets(variablePattern)}},
		orVariable(xsdNames[driver.KindBool], xsdRestriction{Texts: facets("true", "false")}),
	}
	for _, k := range []driver.Kind{driver.KindInt, driver.KindDuration, driver.KindSize} {
		s.Types = append(s.Types, orVariable(xsdNames[k], xsdRestriction{Patterns: facets(kindPattern[k])}))
	}
	data, err := xml.MarshalIndent(s, "", "  ")
	return append([]byte(xml.Header), append(data, '\n')...), err
}

const (
	xsdVariable = "variable"
	xsdBase     = "xs:token" // white space around a text does not count
)

// xsdNames are the names of the types of the kinds that not every text will do for.
var xsdNames = map[driver.Kind]string{
	driver.KindBool: "trueOrFalse", driver.KindInt: "wholeNumber", driver.KindDuration: "duration", driver.KindSize: "size",
}

func facets(values ...string) []xsdFacet {
	list := make([]xsdFacet, len(values))
	for i, v := range values {
		list[i] = xsdFacet{v}
	}
	return list
}

// orVariable allows a variable in a text's place.
func orVariable(name string, r xsdRestriction) xsdType {
	r.Base = xsdBase
	return xsdType{Name: name, Union: &xsdUnion{Members: xsdVariable, Type: xsdType{Restriction: &r}}}
}

func xsdElement(e *element) xsdItem {
	if e.byProvider {
		e = settingsElement(e.name, e.doc+allRules(), allSettings(), nil)
	}
	complexType := &xsdComplex{}
	var elements []xsdItem
	for _, w := range e.words {
		scalar := xsdScalar(w.Setting)
		complexType.Attributes = append(complexType.Attributes, scalar)
		elements = append(elements, scalar)
	}
	for _, f := range e.fixed {
		only := orVariable("", xsdRestriction{Texts: facets(f.only)})
		scalar := xsdItem{Name: f.Name, Doc: f.doc(), Simple: &only}
		complexType.Attributes = append(complexType.Attributes, scalar)
		elements = append(elements, scalar)
	}
	for _, in := range e.inner {
		elements = append(elements, xsdElement(in))
	}
	complexType.Choice = &xsdChoice{Min: "0", Max: "unbounded", Elements: elements}
	return xsdItem{Name: e.name, Doc: e.doc, Complex: complexType}
}

func xsdScalar(s driver.Setting) xsdItem {
	item := xsdItem{Name: s.Name, Doc: docOf(s), Type: xsdNames[s.Kind]}
	if s.Name == providerWord {
		s.OneOf = jcache.Providers()
	}
	switch {
	case len(s.OneOf) > 0:
		t := orVariable("", xsdRestriction{Texts: facets(s.OneOf...)})
		item.Simple = &t
	case item.Type == "":
		item.Type = "xs:string"
	}
	return item
}

// allRules says what the language cannot: how the settings of each provider are related.
func allRules() string {
	var text strings.Builder
	for _, d := range definitions() {
		for _, rule := range rulesOf(propertiesOf(d), "") {
			fmt.Fprintf(&text, " %s: %s.", d.Name, rule)
		}
	}
	return text.String()
}

// allSettings returns the settings of all providers, as if they belonged to one.
func allSettings() []driver.Setting {
	var all []driver.Setting
	for _, d := range definitions() {
		all = union(all, d.Name+": ", d.Settings)
	}
	return all
}

// union adds settings to those of other providers. What has one name and different kinds may
// be any text.
func union(all []driver.Setting, prefix string, more []driver.Setting) []driver.Setting {
	for _, s := range more {
		if s.Kind != driver.KindGroup {
			s.Doc = prefix + s.Doc
		}
		i := slices.IndexFunc(all, func(have driver.Setting) bool { return have.Name == s.Name })
		if i < 0 {
			s.Group = slices.Clone(s.Group)
			all = append(all, s)
			continue
		}
		have := &all[i]
		if have.Kind != s.Kind {
			have.Kind = driver.KindString
		}
		if !slices.Equal(have.OneOf, s.OneOf) {
			have.OneOf = nil
		}
		if have.Doc != s.Doc {
			have.Doc += " " + s.Doc
		}
		have.Group = union(have.Group, "", s.Group)
	}
	return all
}
