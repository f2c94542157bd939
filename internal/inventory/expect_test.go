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
	doubled := Window{Weekly: &Weekly{Days: []time.Weekday{0}, Start: 135, End: 165, Zone: "Europe/Berlin"}}
	lordHowe := Window{Weekly: &Weekly{Days: []time.Weekday{0}, Start: 105, End: 120, Zone: "Australia/Lord_Howe"}}
	sunday := func(start, end int, zone string) Window {
		return Window{Weekly: &Weekly{Days: []time.Weekday{time.Sunday}, Start: start, End: end, Zone: zone}}
	}
	const berlin, newYork, troll = "Europe/Berlin", "America/New_York", "Antarctica/Troll"
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
		{leaps, "2026-03-29T00:59:59Z", ""}, // 02:15 does not exist that day: 02:00 is 03:00
		{leaps, "2026-03-29T01:00:00Z", "2026-03-29T01:15:00Z"},
		{leaps, "2026-03-29T01:15:00Z", ""},
		{leaps, "2026-03-22T01:15:00Z", "2026-03-22T02:15:00Z"},
		// Summer time ended there on Sunday 2026-10-25 at 03:00: from 02:00 to 03:00 comes twice.
		{doubled, "2026-10-24T23:59:59Z", ""},
		{doubled, "2026-10-25T00:15:00Z", "2026-10-25T01:45:00Z"}, // 02:15, the first
		{doubled, "2026-10-25T00:50:00Z", "2026-10-25T01:45:00Z"},
		{doubled, "2026-10-25T01:44:59Z", "2026-10-25T01:45:00Z"}, // 02:45, the second
		{doubled, "2026-10-25T01:45:00Z", ""},
		{doubled, "2026-10-18T00:15:00Z", "2026-10-18T00:45:00Z"},  // any other Sunday
		{nights, "2026-10-25T02:59:59Z", "2026-10-25T03:00:00Z"},   // 04:00 in winter time
		{lordHowe, "2026-04-04T14:45:00Z", "2026-04-04T15:30:00Z"}, // set back by half an hour at 02:00
		// Where clocks leap over a beginning, it is then.
		{sunday(150, 240, berlin), "2026-03-29T00:59:59Z", ""},
		{sunday(150, 240, berlin), "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
		{sunday(135, 196, berlin), "2026-03-29T01:00:00Z", "2026-03-29T01:16:00Z"},
		{sunday(150, 240, newYork), "2026-03-08T06:59:59Z", ""},
		{sunday(150, 240, newYork), "2026-03-08T07:00:00Z", "2026-03-08T08:00:00Z"},
		{sunday(150, 240, newYork), "2026-03-15T06:30:00Z", "2026-03-15T08:00:00Z"}, // any other Sunday
		// Where they leap over an end, it is as much later: 02:30 is 03:30.
		{sunday(60, 150, berlin), "2026-03-29T00:00:00Z", "2026-03-29T01:30:00Z"},
		{sunday(60, 150, newYork), "2026-03-08T06:00:00Z", "2026-03-08T07:30:00Z"},
		{sunday(60, 150, newYork), "2026-03-08T07:30:00Z", ""},
		// Over all of it.
		{sunday(120, 180, berlin), "2026-03-29T00:59:59Z", ""},
		{sunday(120, 180, berlin), "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
		{sunday(135, 165, newYork), "2026-03-08T07:00:00Z", "2026-03-08T07:45:00Z"},
		{sunday(0, 60, "America/Santiago"), "2026-09-06T03:59:59Z", ""},
		{sunday(0, 60, "America/Santiago"), "2026-09-06T04:00:00Z", "2026-09-06T05:00:00Z"}, // at midnight
		// By two hours at once, back and forth.
		{sunday(150, 170, troll), "2026-10-25T00:30:00Z", "2026-10-25T02:50:00Z"},
		{sunday(90, 240, troll), "2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"},
		{Window{}, "2026-03-01T03:15:00Z", ""},
		{Window{Weekly: &Weekly{Days: []time.Weekday{0}, End: 1440, Zone: "Nowhere/At all"}}, "2026-03-01T03:15:00Z", ""},
	} {
		got := c.window.Ends(at(c.now))
		if text := got.Format(time.RFC3339); got.IsZero() != (c.want == "") || c.want != "" && text != c.want {
			t.Errorf("%+v at %s: %s, want %q", c.window, c.now, text, c.want)
		}
	}
}
