package probe

import (
	"strings"
	"time"
	"unicode/utf8"
)

// maxText is how much of a peer's text a finding shows, in characters.
const maxText = 80

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
