package notify

import (
	"strings"
	"testing"
	"unicode/utf8"

	"driftprobe/finding"
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

// An all-clear says nothing of a time that is to come.
func TestTheEndHasNoMomentToCome(t *testing.T) {
	for cause, want := range map[string]string{
		"traefik lost its certificates at a restart, and Let's Encrypt refuses new ones until 14:32:05 UTC": "traefik lost its certificates at a restart, and Let's Encrypt refuses new ones",
		"a resolver serves an old address beyond its TTL, until 2026-11-24 12:47 UTC":                       "a resolver serves an old address beyond its TTL",
		"servers still give an old address; all clear by 12:47:05 UTC, in 6 min":                            "servers still give an old address",
		"no address answers until somebody looks":                                                           "no address answers until somebody looks",
	} {
		m := Message{Kind: Resolved, Incident: finding.Incident{Cause: cause}}
		for _, text := range []string{m.Cause(), aloud(m), strings.TrimPrefix(strings.TrimSuffix(headline(m, ""), " · lasted 0 s"), "[resolved] ")} {
			if text != want {
				t.Errorf("the end of %q: %q", cause, text)
			}
		}
		m.Kind = Firing
		if m.Cause() != cause {
			t.Errorf("the beginning says %q", m.Cause())
		}
	}
}
