package inventory

import (
	"slices"
	"time"
)

// The schemes of targets beside https.
const (
	SchemeHTTP = "http"
	SchemeTCP  = "tcp"
)

// DefaultPort is the port that a URL of the scheme need not name; 0 if there is
// none.
func DefaultPort(scheme string) uint16 {
	switch scheme {
	case "", "https":
		return 443
	case SchemeHTTP:
		return 80
	}
	return 0
}

// Expect is the response that is right. The zero value expects any answer that
// is no error of the server (5xx), not 421, and not 400 (a warning).
type Expect struct {
	Status []StatusRange `json:"status,omitempty"`
	// BodyRegex is an RE2 expression that must match within the body.
	BodyRegex string `json:"body_regex,omitempty"`
	// Headers are RE2 expressions that the named response headers must match.
	Headers map[string]string `json:"headers,omitempty"`
	// JSON are RE2 expressions by gjson path: the body must be JSON, and have at each
	// path a value whose text matches.
	JSON map[string]string `json:"json,omitempty"`
	// FinalURL is an RE2 expression for the URL at which the redirects end.
	FinalURL string `json:"final_url,omitempty"`
	// Protocol is the ALPN name of the HTTP version that must be spoken: "h2" or
	// "http/1.1". Without it only HTTP/1.1 is offered.
	Protocol string `json:"protocol,omitempty"`
	// Within is how long the whole look may take; 0 means any time.
	Within time.Duration `json:"within_ns,omitempty"`
	// Identity is what only the target itself can say.
	Identity Identity `json:"identity,omitzero"`
	// Unreachable: nothing may answer.
	Unreachable bool `json:"unreachable,omitempty"`
	// TLS are the codes of faults of the certificate that are meant to be there,
	// without their family: "expired".
	TLS []string `json:"tls,omitempty"`
}

// Bad tells whether the target is meant to be faulty.
func (e Expect) Bad() bool { return e.Unreachable || len(e.TLS) > 0 }

// Identity proves that it is the target that answers, and not somebody else who
// has its address or its certificate.
type Identity struct {
	// Header is a response header, Path the path of a page; one of the two is set.
	Header string `json:"header,omitempty"`
	Path   string `json:"path,omitempty"`
	// Regex is an RE2 expression for the header's value or the page's body.
	Regex string `json:"regex,omitempty"`
}

// Redirects says which redirects are followed.
type Redirects struct {
	// Follow: those to the same host are.
	Follow bool `json:"follow,omitempty"`
	// Hosts are further hosts to which they may lead (ASCII, lower case).
	Hosts []string `json:"hosts,omitempty"`
}

// StatusRange is an inclusive range of HTTP status codes.
type StatusRange struct {
	From int `json:"from"`
	To   int `json:"to"`
}

// Window is a time of maintenance: once, from From until Until, or every week.
type Window struct {
	From  time.Time `json:"from,omitzero"`
	Until time.Time `json:"until,omitzero"`
	// Weekly is set instead of the two.
	Weekly *Weekly `json:"weekly,omitempty"`
}

// Weekly is a time of the day on some days of each week.
type Weekly struct {
	// Days are those on which it begins; 0 is Sunday.
	Days []time.Weekday `json:"days"`
	// Start and End are minutes after midnight. An End that is not after Start is on
	// the next day.
	Start int `json:"start_minute"`
	End   int `json:"end_minute"`
	// Zone is the IANA name of the time zone; empty means UTC.
	Zone string `json:"zone,omitempty"`
}

// Ends is when the window that is open at the moment closes; zero if it is not
// open.
func (w Window) Ends(now time.Time) time.Time {
	if w.Weekly != nil {
		return w.Weekly.ends(now)
	}
	if now.Before(w.From) || !now.Before(w.Until) {
		return time.Time{}
	}
	return w.Until
}

// moments are the first and the last at which clocks show a time of a day, in minutes
// after midnight; one and the same but where they are set back. Where they are set
// forward over it, they are when that happens, and when it would have been without (RFC
// 5545 section 3.3.5).
func moments(year int, month time.Month, day, minutes int, zone *time.Location) (first, last time.Time) {
	shown := time.Date(year, month, day, 0, minutes, 0, 0, time.UTC) // what clocks show, as if in UTC
	guess := time.Date(year, month, day, 0, minutes, 0, 0, zone)
	began, ends := guess.ZoneBounds()
	for _, in := range []time.Time{began.Add(-1), guess, ends} { // the one offset before, and the one after
		_, offset := in.In(zone).Zone()
		at := shown.Add(-time.Duration(offset) * time.Second).In(zone)
		if _, real := at.Zone(); real != offset {
			continue
		}
		if first.IsZero() || at.Before(first) {
			first = at
		}
		if at.After(last) {
			last = at
		}
	}
	if !first.IsZero() {
		return first, last
	}
	leap := ends
	if _, offset := guess.Zone(); guess.Add(time.Duration(offset) * time.Second).After(shown) {
		leap = began
	}
	_, before := leap.Add(-1).Zone()
	return leap, shown.Add(-time.Duration(before) * time.Second)
}

// minutesOfDay is how many a day has on the clock.
const minutesOfDay = 24 * 60

// ends looks at the day of the moment and at the one before, whose window can go
// on over midnight.
func (w Weekly) ends(now time.Time) time.Time {
	zone, err := time.LoadLocation(w.Zone)
	if err != nil { // checked when it was read; a snapshot from elsewhere may hold anything
		return time.Time{}
	}
	year, month, day := now.In(zone).Date()
	for _, back := range []int{0, 1} {
		// Where the clock is set back an hour comes twice: nobody can say which was meant,
		// so the window is open from the first of its beginnings to the last of its ends.
		start, _ := moments(year, month, day-back, w.Start, zone)
		_, end := moments(year, month, day-back, w.End, zone)
		if w.End <= w.Start {
			_, end = moments(year, month, day-back+1, w.End, zone)
		}
		if !start.Before(end) { // clocks leap over all of it
			end = start.Add(time.Duration((w.End-w.Start+minutesOfDay)%minutesOfDay) * time.Minute)
		}
		midday := time.Date(year, month, day-back, 12, 0, 0, 0, zone)
		if slices.Contains(w.Days, midday.Weekday()) && !now.Before(start) && now.Before(end) {
			return end.UTC()
		}
	}
	return time.Time{}
}
