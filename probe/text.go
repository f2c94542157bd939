package probe

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxText is how much of a peer's text a finding shows, in characters.
const maxText = 80

// printable makes text from a peer safe for a terminal, a chat or a log line:
// what is not printable (control characters, escape sequences, line breaks,
// direction marks, invalid UTF-8) is shown as an escape, and the whole is cut at
// limit characters.
func printable(s string, limit int) string {
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

// clip keeps text as the peer sent it, but bounded and valid UTF-8, so that it
// survives a round trip through JSON.
func clip(s string) string {
	const limit = 256
	if len(s) > limit+utf8.UTFMax {
		s = s[:limit+utf8.UTFMax] // whole characters up to the limit, whatever follows
	}
	return cut(strings.ToValidUTF8(s, "\uFFFD"), limit)
}

// cut shortens valid UTF-8 to at most limit bytes, between characters.
func cut(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	for !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit]
}

// moment writes a time for a person.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// plain tells whether there is nothing to escape: the usual case.
func plain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
