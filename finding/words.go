package finding

import (
	"fmt"
	"strings"
	"time"
)

// The texts of findings and incidents use these few ways of saying things, so
// that every room writes alike.

// Clock writes a moment in UTC with the precision that a person on call needs to
// wait for it: "12:47:05 UTC", or with the date, "2026-11-24 12:47 UTC", if that is
// half a day or more away from now.
func Clock(t, now time.Time) string {
	if t.Sub(now).Abs() < 12*time.Hour {
		return t.UTC().Format("15:04:05 UTC")
	}
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// Span writes a duration, rounded up, in one unit that fits its size: "41 s",
// "6 min", "3 h", "5 days". What is over takes no time: "0 s".
func Span(d time.Duration) string {
	d = max(d, 0)
	up := func(unit time.Duration) int64 { return int64((d + unit - 1) / unit) }
	switch {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", up(time.Second))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", up(time.Minute))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", up(time.Hour))
	}
	return fmt.Sprintf("%d days", up(24*time.Hour))
}

// Left writes how much time is left, rounded down: "41 days", "20 h", "59 min".
func Left(d time.Duration) string {
	d = d.Abs()
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d/time.Hour)
	}
	return fmt.Sprintf("%d days", d/(24*time.Hour))
}

// Lasted writes a past span in up to two units: "22 s", "6 min", "1 h 6 min",
// "3 days 4 h".
func Lasted(d time.Duration) string {
	const day = 24 * time.Hour
	d = max(0, d)
	switch {
	case d < time.Hour:
		return Left(d)
	case d < 2*day:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute), " 0 min")
	}
	return strings.TrimSuffix(fmt.Sprintf("%d days %d h", d/day, d%day/time.Hour), " 0 h")
}

// Count writes a number with its noun: "1 hostname", "14 hostnames".
func Count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// List joins words, names at most limit of them and counts the rest: "a, b and
// 11 more".
func List(words []string, limit int) string {
	if len(words) <= limit {
		return strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(words[:limit], ", "), len(words)-limit)
}
