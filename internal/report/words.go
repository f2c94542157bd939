package report

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"driftprobe/finding"
)

func hostnames(n int) string { return finding.Count(n, "hostname", "hostnames") }

// took writes how long a look took: "240 ms", "1.3 s", "2 min 3 s".
func took(d time.Duration) string {
	switch {
	case d < time.Second:
		return fmt.Sprintf("%d ms", max(1, d.Milliseconds()))
	case d < time.Minute:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	}
	d = d.Round(time.Second)
	return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
}

// clock writes t in UTC: the time of day if that is within 12 hours of now, else
// with the date.
func clock(t, now time.Time) string {
	t = t.UTC()
	if d := now.Sub(t).Abs(); d < 12*time.Hour {
		return t.Format("15:04 UTC")
	}
	return t.Format("2006-01-02 15:04 UTC")
}

// few lists up to n words, and how many more there are.
func few(words []string, n int) string {
	if len(words) <= n+1 {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s, … %d more", strings.Join(words[:n], ", "), len(words)-n)
}

// further says how many things are not shown: "… 1 more address".
func further(n int, one, many string) string {
	return "… " + finding.Count(n, "more "+one, "more "+many)
}

// safe makes every word harmless.
func safe(words []string) []string {
	out := make([]string, len(words))
	for i, w := range words {
		out[i] = Safe(w)
	}
	return out
}
