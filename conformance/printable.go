package conformance

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// longestLine bounds a line of a report, in bytes.
const longestLine = 600

// printable makes a text fit for a report: a driver that goes wrong may put the bytes of a
// key or a record into what it returns, and they must not reach a terminal as they are.
func printable(text string) string {
	var b strings.Builder
	for line := range strings.Lines(text) {
		line, ended := strings.CutSuffix(line, "\n")
		if more := len(line) - longestLine; more > 0 {
			escape(&b, line[:longestLine])
			fmt.Fprintf(&b, "… and %d bytes more", more)
		} else {
			escape(&b, line)
		}
		if ended {
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func escape(b *strings.Builder, line string) {
	for len(line) > 0 {
		r, size := utf8.DecodeRuneInString(line)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(b, `\x%02x`, line[0])
		case strconv.IsPrint(r) || r == '\t':
			b.WriteRune(r)
		default:
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		line = line[size:]
	}
}
