package probe

import (
	"strings"
	"testing"
	"unicode/utf8"

	"driftprobe/finding"
)

func TestPrintable(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"plain text is left alone":               {"Let's Encrypt «R3» é 日本", "Let's Encrypt «R3» é 日本"},
		"escape sequences are shown":             {"\x1b]0;x\x07", `\x1b]0;x\x07`},
		"line breaks are shown":                  {"a\r\nb\u2028c", `a\x0d\x0ab\u2028c`},
		"C1 controls are shown":                  {"\u009b1m", `\u009b1m`},
		"direction marks are shown":              {"a\u202eb\u2066", `a\u202eb\u2066`},
		"invisible characters are shown":         {"a\u200bb\U000e0041", `a\u200bb\U000e0041`},
		"invalid UTF-8 is shown":                 {"a\xff\xc3", `a\xff\xc3`},
		"the cut is in characters, not in bytes": {strings.Repeat("é", 21), strings.Repeat("é", 20) + "…"},
		"exactly the limit is not cut":           {strings.Repeat("é", 20), strings.Repeat("é", 20)},
	} {
		limit := 20
		if !strings.HasPrefix(c.in, "é") {
			limit = 80
		}
		got := finding.Printable(c.in, limit)
		if got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
		if limit == 80 && finding.Printable(got, 80) != got {
			t.Errorf("%s: made printable twice it changes", name)
		}
	}
}

func TestClip(t *testing.T) {
	for name, c := range map[string]struct {
		in   string
		want string
	}{
		"short":                       {"abc", "abc"},
		"long":                        {strings.Repeat("a", 300), strings.Repeat("a", 256)},
		"cut between characters":      {"a" + strings.Repeat("é", 200), "a" + strings.Repeat("é", 127)},
		"invalid UTF-8 is replaced":   {"a\xffb", "a\uFFFDb"},
		"all invalid stays bounded":   {strings.Repeat("\xff", 1000), "\uFFFD"},
		"ends within a character":     {strings.Repeat("a", 255) + "\xe6\x97", strings.Repeat("a", 255)},
		"a megabyte does not survive": {strings.Repeat("日", 1<<18), strings.Repeat("日", 85)},
	} {
		got := clip(c.in)
		if got != c.want || !utf8.ValidString(got) || len(got) > 256 {
			t.Errorf("%s: %d bytes %q", name, len(got), got)
		}
	}
}
