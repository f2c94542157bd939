package notify

import (
	"strings"
	"testing"
	"unicode/utf8"
)

// Whatever is inserted, Slack sees no mark-up of its own, and nothing is cut in
// the middle of an escaped character.
func FuzzEscape(f *testing.F) {
	f.Add("<!channel> & \xff\n\u202e", 7)
	f.Add("&&&&", 12)
	f.Fuzz(func(t *testing.T, s string, n int) {
		n = min(max(n, 1), 100)
		got := clip(escape(s), n)
		rest := strings.NewReplacer("&amp;", "", "&lt;", "", "&gt;", "").Replace(got)
		if strings.ContainsAny(rest, "&<>\n\x1b\u202e") || !utf8.ValidString(got) || utf8.RuneCountInString(got) > n {
			t.Fatalf("clip(escape(%q), %d) = %q", s, n, got)
		}
	})
}
