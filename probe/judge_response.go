package probe

import (
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// response judges status, body and header. A wildcard stands for any name under
// a domain, and nobody need be at home at the one that we made up: whatever came
// back, the way there works.
func (j *judge) response(h HTTP) []finding.Finding {
	if j.target.Wildcard() {
		return nil
	}
	var all []finding.Finding
	take := func(f finding.Finding, found bool) bool {
		if found {
			f.Status = h.Status
			all = append(all, f)
		}
		return found
	}
	take(j.versions(h))
	if take(j.redirected(h)) || take(j.misplaced(h)) {
		return all
	}
	take(j.arrived(h))
	take(j.status(h))
	take(j.body(h))
	take(j.json(h))
	take(j.header(h))
	return all
}

func (j *judge) body(h HTTP) (finding.Finding, bool) {
	expect := j.target.Expect
	if expect.BodyRegex == "" || h.BodyMatched == nil || *h.BodyMatched {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPBody, finding.Critical,
		fmt.Sprintf("%s answers at %s with a body that is not the expected one", j.host, j.at))
	f.Expected = fmt.Sprintf("a body with a match of \"%s\"", finding.Printable(expect.BodyRegex, maxText))
	f.Observed = fmt.Sprintf("%s, no match in %d bytes", j.responseText(h), h.BodyBytes)
	f.Hint = "read what it says: " + j.curl()
	j.encoded(h, &f)
	return f, true
}

func (j *judge) json(h HTTP) (finding.Finding, bool) {
	if !h.NotJSON && len(h.JSONWrong) == 0 {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPBody, finding.Critical,
		fmt.Sprintf("%s answers at %s with JSON that is not the expected one", j.host, j.at))
	var want []string
	for _, path := range slices.Sorted(maps.Keys(j.target.Expect.JSON)) {
		want = append(want, path+": "+j.target.Expect.JSON[path])
	}
	f.Expected = "JSON with " + few(want)
	f.Observed = j.responseText(h) + ", " + few(h.JSONWrong)
	if h.NotJSON {
		f.Summary = fmt.Sprintf("%s answers at %s with a body that is not JSON", j.host, j.at)
		f.Observed = fmt.Sprintf("%s, %d bytes that are not a JSON text", j.responseText(h), h.BodyBytes)
	}
	f.Hint = "read what it says: " + j.curl()
	j.encoded(h, &f)
	return f, true
}

// encoded says that the body could not be read as text.
func (j judge) encoded(h HTTP, f *finding.Finding) {
	if h.Encoding == "" {
		return
	}
	f.Observed += ", encoded as " + finding.Printable(h.Encoding, 40) + " although identity was asked for"
	f.Hint = "let the server send what was asked for (Accept-Encoding: identity), and then " + f.Hint
}

func (j *judge) header(h HTTP) (finding.Finding, bool) {
	if len(h.HeadersMissing) == 0 {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPHeader, finding.Critical,
		fmt.Sprintf("%s answers at %s without an expected header", j.host, j.at))
	f.Expected = headerText(j.target.Expect, h.HeadersMissing)
	f.Observed = fmt.Sprintf("%s, absent or different: %s", j.responseText(h), few(h.HeadersMissing))
	f.Hint = "read what it says: " + j.curl()
	return f, true
}

// status: what was asked for is critical if it is missing. Unasked, only the
// server's own errors are (RFC 9110 section 15.6); 404 is usual at the root of an
// API, and also what an ingress controller says of a host that it does not know. 400 says that
// an ordinary request cannot be read: all clients get it, or the target was not written for it.
func (j *judge) status(h HTTP) (finding.Finding, bool) {
	expected, severity := "a status below 500", finding.Critical
	if ranges := j.target.Expect.Status; len(ranges) > 0 {
		for _, r := range ranges {
			if r.From <= h.Status && h.Status <= r.To {
				return finding.Finding{}, false
			}
		}
		expected = rangesText(ranges)
	} else if h.Status == 404 {
		severity = finding.Info
	} else if h.Status == 400 {
		if j.refusesUs() || found(h.BodyMatched) { // that is said already; or it is the expected answer
			return finding.Finding{}, false
		}
		expected, severity = "a status below 500, and not 400", finding.Warning
	} else if h.Status < 500 && !misdirected(h.Status) {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPStatus, severity,
		fmt.Sprintf("%s answers at %s with HTTP %d", j.host, j.at, h.Status))
	f.Expected = expected
	f.Observed = j.responseText(h)
	f.Hint = j.statusHint(h)
	return f, true
}

func (j *judge) statusHint(h HTTP) string {
	status := h.Status
	switch {
	case status == 503 && later(h.RetryAfter, j.seen.At):
		return "the server says itself when to ask again: it is in maintenance, or limits what it takes; if that is planned, set maintenance; if it is not planned, see whether the application has ready pods"
	case status >= 520 && status <= 526 && strings.EqualFold(h.Server, "cloudflare"):
		return "Cloudflare stands in front and gets no answer from what is behind it (521 refused, 522 and 524 timeout, 523 no route, 525 no TLS, 526 a certificate that is not valid): look at its origin's address"
	case status == 502 || status == 503 || status == 504:
		return "check that the application behind it has ready pods: the ingress controller has no backend that answers"
	case status == 400:
		return "an ordinary request is refused as one that cannot be read: check that the load balancer sends PROXY protocol only to a server that expects it, and plain HTTP to no port of TLS; if the application asks for more, set expect.status, or give the probe what it needs (headers, method, body)"
	case status == 404:
		return "check that the ingress controller has a route for this host and path; if the answer is right, set expect.status"
	case status == 421:
		return "the server does not serve this name over this connection: check the rule that chooses the site by name, and the load balancer's SNI towards its backend"
	case status == 429:
		return "the server limits how often we may ask: let it except the probe, or ask less often"
	case status == 401 || status == 403:
		return "give the probe what it needs (headers), or set expect.status"
	case status >= 300 && status < 400:
		return "put the address to which it redirects into the target's url, or set expect.status"
	}
	return "read what it says: " + j.curl()
}

// later tells whether a Retry-After (RFC 9110 section 10.2.3) names a time to come.
func later(retryAfter string, from time.Time) bool {
	if seconds, err := strconv.ParseUint(retryAfter, 10, 32); err == nil {
		return seconds > 0
	}
	date, err := http.ParseTime(retryAfter)
	return err == nil && date.After(from)
}

// responseText is "HTTP 503, server nginx".
func (j *judge) responseText(h HTTP) string {
	text := fmt.Sprintf("HTTP %d", h.Status)
	if h.Location != "" {
		text += " to " + finding.Printable(h.Location, maxText)
	}
	if h.RetryAfter != "" {
		text += ", Retry-After " + finding.Printable(h.RetryAfter, 40)
	}
	if h.Server != "" {
		text += ", server " + finding.Printable(h.Server, 40)
	}
	return text
}

func rangesText(ranges []inventory.StatusRange) string {
	var parts []string
	for _, r := range ranges {
		if r.From == r.To {
			parts = append(parts, fmt.Sprint(r.From))
		} else {
			parts = append(parts, fmt.Sprintf("%d–%d", r.From, r.To))
		}
	}
	return "HTTP " + strings.Join(parts, " or ")
}

func headerText(expect inventory.Expect, names []string) string {
	parts := make([]string, 0, len(names))
	for _, n := range names {
		parts = append(parts, n+": "+expect.Headers[n])
	}
	return few(parts)
}

// few lists at most five texts, made printable, and counts the rest.
func few(texts []string) string {
	const most = 5
	var b strings.Builder
	for i, t := range texts[:min(len(texts), most)] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(finding.Printable(t, maxText))
	}
	if more := len(texts) - most; more > 0 {
		fmt.Fprintf(&b, ", … %d more", more)
	}
	return b.String()
}
