package finding

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Printable makes text from a stranger safe for a terminal, a chat or a log line:
// what is not printable (control characters, escape sequences, line breaks,
// direction marks, invalid UTF-8) is shown as an escape, and the whole is cut at
// limit characters.
func Printable(s string, limit int) string {
	if len(s) <= limit && plain(s) {
		return s
	}
	var b strings.Builder
	count := 0
	for len(s) > 0 {
		if count == limit {
			b.WriteString("…")
			break
		}
		r, size := utf8.DecodeRuneInString(s)
		switch {
		case r == utf8.RuneError && size == 1:
			fmt.Fprintf(&b, `\x%02x`, s[0])
		case strconv.IsPrint(r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		s = s[size:]
		count++
	}
	return b.String()
}

// plain tells whether text is printable ASCII, which most text is.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
