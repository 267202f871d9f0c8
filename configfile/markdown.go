package configfile

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/keepsake-cache/keepsake/jcache/driver"
)

// Markdown returns a reference of the document, a section for each element and for each
// provider that is linked into the program.
func Markdown() []byte {
	var b bytes.Buffer
	for _, e := range []*element{managerElement, cacheElement, sessionElement, sessionCacheElement, sessionDatabaseElement, shutdownElement} {
		fmt.Fprintf(&b, "## %s\n\n%s\n\n", e.name, e.doc)
		e.table(&b, "")
		if len(e.fixed) > 0 {
			b.WriteString("\nAccepted with one value only:\n\n| name | value | because |\n|---|---|---|\n")
			for _, f := range e.fixed {
				fmt.Fprintf(&b, "| `%s` | `%s` | %s |\n", f.Name, f.only, cell(f.why))
			}
		}
		if len(e.refused) > 0 {
			b.WriteString("\nRefused:\n\n| name | because |\n|---|---|\n")
			for _, name := range slices.Sorted(maps.Keys(e.refused)) {
				fmt.Fprintf(&b, "| `%s` | %s |\n", name, cell(e.refused[name]))
			}
		}
		b.WriteString("\n")
	}
	for _, d := range definitions() {
		fmt.Fprintf(&b, "## properties of %s\n\n%s", d.Name, d.Doc)
		if d.URI != "" {
			fmt.Fprintf(&b, " The `uri` names %s.", d.URI)
		}
		b.WriteString("\n\n")
		propertiesOf(d).table(&b, "")
		if rules := rulesOf(propertiesOf(d), ""); rules != nil {
			b.WriteString("\n* " + strings.Join(rules, ".\n* ") + ".\n")
		}
		b.WriteString("\n")
	}
	return bytes.TrimRight(b.Bytes(), "\n")
}

// table lists the scalars of an element and of the groups in it.
func (e *element) table(b *bytes.Buffer, group string) {
	if group == "" {
		b.WriteString("| name | value | default | |\n|---|---|---|---|\n")
	}
	for _, w := range e.words {
		given := "`" + w.Default + "`"
		switch {
		case w.Required:
			given = "required"
		case w.Default == "":
			given = zeroText(w.Kind)
		}
		if w.liberty != "" {
			given = strings.TrimSpace(given + " (Open Liberty: `" + w.liberty + "`)")
		}
		value := w.Kind.String()
		if unit := bareUnit(w.Setting); unit != "" {
			value += " (" + unit + ")"
		}
		if len(w.OneOf) > 0 {
			value = strings.Join(w.OneOf, ", ")
		}
		fmt.Fprintf(b, "| `%s%s` | %s | %s | %s |\n", group, w.Name, value, given, cell(w.Doc))
	}
	for _, in := range e.inner {
		if !in.repeated && !in.byProvider {
			in.table(b, group+in.name+".")
		}
	}
}

// rulesOf returns the rules of an element and of the groups in it as sentences without their end.
func rulesOf(e *element, group string) (rules []string) {
	for _, r := range e.rules {
		r.Names = slices.Clone(r.Names)
		for i := range r.Names {
			r.Names[i] = group + r.Names[i]
		}
		rules = append(rules, r.String())
	}
	for _, in := range e.inner {
		rules = append(rules, rulesOf(in, group+in.name+".")...)
	}
	return rules
}

// zeroText is how a table shows the default of a setting that declares none.
func zeroText(k driver.Kind) string {
	switch k {
	case driver.KindBool:
		return "`false`"
	case driver.KindInt, driver.KindSize, driver.KindDuration:
		return "`0`"
	}
	return ""
}

func cell(text string) string { return strings.ReplaceAll(text, "|", `\|`) }
