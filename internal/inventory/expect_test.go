package inventory

import (
	"testing"
	"time"
)

func TestWindows(t *testing.T) {
	at := func(s string) time.Time {
		when, err := time.Parse(time.RFC3339, s)
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	once := Window{From: at("2026-03-01T10:00:00Z"), Until: at("2026-03-01T12:00:00Z")}
	// Saturday and Sunday nights in Berlin, over midnight; summer time began there on
	// Sunday 2026-03-29 at 02:00.
	nights := Window{Weekly: &Weekly{Days: []time.Weekday{time.Saturday, time.Sunday}, Start: 22 * 60, End: 4 * 60, Zone: "Europe/Berlin"}}
	daily := Window{Weekly: &Weekly{Days: []time.Weekday{0, 1, 2, 3, 4, 5, 6}, Start: 180, End: 195}}
	leaps := Window{Weekly: &Weekly{Days: []time.Weekday{0}, Start: 135, End: 195, Zone: "Europe/Berlin"}}
	for _, c := range []struct {
		window    Window
		now, want string
	}{
		{once, "2026-03-01T09:59:59Z", ""},
		{once, "2026-03-01T10:00:00Z", "2026-03-01T12:00:00Z"},
		{once, "2026-03-01T12:00:00Z", ""},
		{nights, "2026-03-28T20:59:59Z", ""},
		{nights, "2026-03-28T21:00:00Z", "2026-03-29T02:00:00Z"}, // 04:00 in summer time
		{nights, "2026-03-29T01:59:59Z", "2026-03-29T02:00:00Z"},
		{nights, "2026-03-29T02:00:00Z", ""},
		{nights, "2026-03-29T20:00:00Z", "2026-03-30T02:00:00Z"}, // Sunday 22:00 in summer time
		{nights, "2026-03-30T20:00:00Z", ""},                     // Monday
		{nights, "2026-03-31T01:00:00Z", ""},
		{daily, "2026-03-01T03:00:00Z", "2026-03-01T03:15:00Z"},
		{daily, "2026-03-01T03:15:00Z", ""},
		{leaps, "2026-03-29T00:59:59Z", "2026-03-29T01:15:00Z"}, // 02:15 does not exist that day
		{leaps, "2026-03-29T01:15:00Z", ""},
		{leaps, "2026-03-22T01:15:00Z", "2026-03-22T02:15:00Z"},
		{Window{}, "2026-03-01T03:15:00Z", ""},
		{Window{Weekly: &Weekly{Days: []time.Weekday{0}, End: 1440, Zone: "Nowhere/At all"}}, "2026-03-01T03:15:00Z", ""},
	} {
		got := c.window.Ends(at(c.now))
		if text := got.Format(time.RFC3339); got.IsZero() != (c.want == "") || c.want != "" && text != c.want {
			t.Errorf("%+v at %s: %s, want %q", c.window, c.now, text, c.want)
		}
	}
}
