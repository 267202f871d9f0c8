package configfile

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// libertyPlaces are the variables with which Open Liberty's files name directories.
var libertyPlaces = map[string]bool{
	"server.config.dir": true, "server.output.dir": true, "server.tmp.dir": true, "wlp.install.dir": true, "wlp.user.dir": true, "usr.extension.dir": true,
	"shared.app.dir": true, "shared.config.dir": true, "shared.resource.dir": true, "shared.stackgroup.dir": true,
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// expand replaces ${NAME}, ${env.NAME}, ${NAME:-text} and $$. foreign reports whether the
// result has something that is not in the document and may be a secret. Errors name
// variables but show nothing else of the text.
func expand(text string, getenv func(string) (string, bool)) (expanded string, foreign bool, err error) {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(text, "$")
		b.WriteString(before)
		if !found {
			return b.String(), foreign, nil
		}
		if after, ok := strings.CutPrefix(rest, "$"); ok {
			b.WriteByte('$')
			text = after
			continue
		}
		inner, after, closed := strings.Cut(rest, "}")
		inner, opened := strings.CutPrefix(inner, "{")
		if !opened || !closed {
			return "", foreign, errors.New("a $ begins a variable, as in ${NAME}; the character itself is written $$")
		}
		value, set, err := lookup(inner, getenv)
		if err != nil {
			return "", foreign, err
		}
		b.WriteString(value)
		foreign = foreign || set
		text = after
	}
}

// lookup returns the value of what stands between the braces; set reports whether it comes
// from the environment. As in a shell, the text after :- also stands for a variable that is
// set to nothing.
func lookup(inner string, getenv func(string) (string, bool)) (value string, set bool, err error) {
	name, text, hasDefault := strings.Cut(inner, ":-")
	name = strings.TrimPrefix(name, "env.")
	if libertyPlaces[name] {
		return "", false, fmt.Errorf("${%s} is a directory of Open Liberty; file names are relative to the file in which they stand, so leave it out", name)
	}
	if !variableName.MatchString(name) || strings.Contains(text, "${") {
		return "", false, errors.New("a variable is one of the environment, written ${NAME} or ${NAME:-text}; a name has letters, digits and _, a text no other variable")
	}
	value, set = getenv(name)
	switch {
	case hasDefault && value == "":
		return text, false, nil
	case !set:
		return "", false, fmt.Errorf("the environment variable %s is not set; set it, or give a default: ${%s:-text}", name, name)
	}
	return value, true, nil
}
