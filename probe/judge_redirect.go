package probe

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// redirected judges where the redirects led, or why they led nowhere. In both
// cases what the last response looks like is of no interest.
func (j *judge) redirected(h HTTP) (finding.Finding, bool) {
	var why, hint string
	switch {
	case h.Circular:
		why = "to the very URL that was asked"
		hint = "the server sends clients back to where they are: take the redirect out there"
		if strings.HasPrefix(strings.ToLower(h.Location), "https:") {
			hint = "a server behind a load balancer that ends TLS takes the request for plain http and redirects it to https again: let it trust X-Forwarded-Proto, or take the redirect out there"
		}
	case h.Stopped != "":
		why = finding.Printable(h.Stopped, 200)
		hint = j.stoppedHint(h)
	default:
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPRedirect, finding.Critical,
		fmt.Sprintf("the redirects of %s at %s do not come to an end: %s", j.host, j.at, why))
	f.Expected = "redirects that end at a response"
	f.Observed = j.way(h)
	f.Hint = hint
	return f, true
}

func (j *judge) stoppedHint(h HTTP) string {
	switch {
	case strings.Contains(h.Stopped, "redirects.hosts"):
		return "if clients are meant to go there, add the host to the target's redirects.hosts"
	case strings.Contains(h.Stopped, "circle"):
		return "take one of the redirects out; if the server counts on a cookie: none is kept here"
	case strings.Contains(h.Stopped, nowhere):
		return "let the server name a URL as the Location of its redirect (RFC 9110 section 10.2.2): " + j.curl()
	}
	return j.alongByHand()
}

// way lists the redirects: "HTTP 301 to https://a/, HTTP 302 to https://b/".
func (j *judge) way(h HTTP) string {
	if len(h.Hops) == 0 {
		return j.responseText(h)
	}
	var parts []string
	for _, hop := range h.Hops {
		parts = append(parts, fmt.Sprintf("HTTP %d to %s", hop.Status, hop.URL))
	}
	return few(parts)
}

// arrived judges the URL at which the redirects ended.
func (j *judge) arrived(h HTTP) (finding.Finding, bool) {
	if h.FinalMatched == nil || *h.FinalMatched {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPRedirect, finding.Critical,
		fmt.Sprintf("%s leads at %s to another URL than expected", j.host, j.at))
	f.Expected = fmt.Sprintf("a final URL with a match of \"%s\"", finding.Printable(j.target.Expect.FinalURL, maxText))
	f.Observed = finding.Printable(h.FinalURL, 200)
	if len(h.Hops) > 0 {
		f.Observed = j.way(h)
	} else if h.Location != "" {
		f.Observed += ", " + j.responseText(h)
	}
	f.Hint = j.alongByHand()
	if h.Location != "" && !j.target.Redirects.Follow {
		f.Hint = "redirects are not followed by themselves: set redirects: {follow: true}"
	}
	return f, true
}

// askingForProof judges the request for the proof in place of the target's own.
func (j *judge) askingForProof() *judge {
	asked := *j
	if page := j.target.Expect.Identity.Path; page != "" {
		asked.target.Path, asked.target.Method = page, ""
	}
	return &asked
}

// imposter is somebody who cannot prove to be the target.
func (j *judge) imposter() finding.Finding {
	expect := j.target.Expect.Identity
	f := j.finding(finding.HTTPIdentity, finding.Critical,
		fmt.Sprintf("what answers for %s at %s does not prove to be it", j.host, j.at))
	f.Expected = fmt.Sprintf("a page %s with a match of \"%s\"", finding.Printable(expect.Path, maxText), finding.Printable(expect.Regex, maxText))
	f.Observed = "a response without it; nothing else was sent there"
	byHand := j.askingForProof().curl()
	if expect.Header != "" {
		f.Expected = fmt.Sprintf("a header %s with a match of \"%s\"", finding.Printable(expect.Header, maxText), finding.Printable(expect.Regex, maxText))
		f.Observed = "a response without it"
		if h := j.seen.HTTP; h != nil && len(h.Hops) > 0 {
			f.Observed = "no response of this address has it: " + j.way(*h)
			byHand = j.curlWith("L")
		} else if h != nil {
			f.Observed = j.responseText(*h) + ", without it"
		}
	}
	f.Hint = "find out who has this address now; if it is the target, check that the proof was deployed everywhere. Compare with: " + byHand
	return f
}

// unproven is an answer that whoever stands in front gives where the proof was asked for.
// That somebody else is there does not follow from it: what is behind may be down. A
// redirect from plain http is no outage, and says nothing at all.
func (j *judge) unproven(h HTTP) finding.Finding {
	expect, asked := j.target.Expect.Identity, j.askingForProof()
	code, severity := finding.HTTPStatus, finding.Critical
	hint := asked.statusHint(h)
	switch {
	case h.PlainToTLS:
		hint = j.misplacedHint()
	case h.Status < 400:
		code, severity = finding.SelfNotObserved, finding.Unknown
		hint = "over plain http nothing proves who answers: put the https URL to which it redirects into the target's url"
	}
	f := asked.finding(code, severity,
		fmt.Sprintf("%s answers at %s with HTTP %d, and it is not known whether it is the target that answers", j.host, j.at, h.Status))
	f.Expected = "a response with the header " + finding.Printable(expect.Header, maxText)
	f.Observed = j.responseText(h) + ", without it"
	if expect.Path != "" {
		f.Expected = "the page " + finding.Printable(expect.Path, maxText) + ", which proves that it is the target"
		f.Observed = j.responseText(h) + " instead of it; nothing else was sent there"
	}
	f.Hint = hint + "; whether somebody else has this address shows when that is mended"
	return f
}

// slow compares the time of the whole look.
func (j *judge) slow() (finding.Finding, bool) {
	limit, took := j.target.Expect.Within, j.seen.Took
	if limit <= 0 || took.Total() <= limit {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPSlow, finding.Warning,
		fmt.Sprintf("%s took %s at %s", j.host, brief(took.Total()), j.at))
	f.Expected = "a response within " + brief(limit)
	longest, name := took.Connect, "connecting"
	for _, p := range []struct {
		time time.Duration
		name string
	}{
		{took.TLS, "the TLS handshake"}, {took.FirstByte, "waiting for the response"}, {took.Transfer, "reading the body"},
		{took.Redirects - took.Resolve, "following redirects"}, {took.Resolve, "finding where redirects lead"},
	} {
		if p.time > longest {
			longest, name = p.time, p.name
		}
	}
	f.Observed = fmt.Sprintf("%s, most of it (%s) %s", brief(took.Total()), brief(longest), name)
	f.Hint = map[string]string{
		"connecting":               "look at the network between here and there: a look from another place tells which side it is",
		"the TLS handshake":        "look at the load of the server that ends TLS",
		"waiting for the response": "look at the application and what it waits for: the way there is quick",
		"reading the body":         "look at the size of the response and at the network",
		"following redirects":      "point the target at the URL where the redirects end",

		"finding where redirects lead": "look at the name servers of the hosts to which the redirects lead",
	}[name]
	return f, true
}

// brief rounds a time to what a person reads.
func brief(d time.Duration) string {
	if d < time.Second {
		return d.Round(time.Millisecond).String()
	}
	return d.Round(10 * time.Millisecond).String()
}

// versions judges the version of HTTP that was agreed on.
func (j *judge) versions(h HTTP) (finding.Finding, bool) {
	want := j.target.Expect.Protocol
	if want == "" {
		return finding.Finding{}, false
	}
	got := map[string]string{"HTTP/2.0": "h2", "HTTP/1.1": "http/1.1"}[h.Protocol]
	if got == want {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPProtocol, finding.Warning,
		fmt.Sprintf("%s speaks %s at %s, not %s", j.host, finding.Printable(h.Protocol, 20), j.at, want))
	f.Expected = "the protocol " + want
	f.Observed = finding.Printable(h.Protocol, 20)
	f.Hint = "let the server that ends TLS offer " + want + " by ALPN; a load balancer in front that ends TLS chooses by itself"
	return f, true
}

// misplaced is plain HTTP that came to a port of TLS, as the server itself says.
func (j *judge) misplaced(h HTTP) (finding.Finding, bool) {
	if !h.PlainToTLS {
		return finding.Finding{}, false
	}
	f := j.finding(finding.HTTPStatus, finding.Critical,
		fmt.Sprintf("%s answers at %s with HTTP 400: plain HTTP was sent to a port that speaks TLS", j.host, j.at))
	f.Expected = "a response of the application"
	f.Observed = j.responseText(h) + ", the server says that plain HTTP came to its port of TLS"
	f.Hint = j.misplacedHint()
	return f, true
}

func (j *judge) misplacedHint() string {
	if j.target.Scheme == inventory.SchemeHTTP {
		return fmt.Sprintf("port %d speaks TLS: watch https:// there, or name the port for plain HTTP", j.seen.Address.Port())
	}
	return "the load balancer ends TLS and passes plain HTTP on to a port of TLS: let it pass TLS through, encrypt to its backend, or use the backend's port for HTTP"
}

// misdirected are the statuses below 500 that say of themselves that the request
// came to the wrong place.
func misdirected(status int) bool { return status == http.StatusMisdirectedRequest }
