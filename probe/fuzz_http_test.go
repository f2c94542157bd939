package probe

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"driftprobe/finding"
)

// FuzzHop: whatever a server redirects to, the next request goes to the target's own
// host at its own address, or to an allowed host at the address that the look-up
// gave; and what is secret goes to the same scheme, host and port alone.
func FuzzHop(f *testing.F) {
	for _, s := range spellings() {
		f.Add("https://"+s+":8443/", 302)
		f.Add("//"+s, 307)
		f.Add(`https:\\`+s, 308)
	}
	for _, s := range []string{"", "/x", "?q", "#f", "http://" + host, "https://" + host + ":0/", "https://" + host + ":443", "https://API.shop.example./", "javascript:x", "https://www.shop.example@" + host, "https://www.shop.example", "\r\nX: y", "https://\x00/", "https://[::1%25lo]/"} {
		f.Add(s, 301)
	}
	found := netip.MustParseAddr("203.0.113.99")
	f.Fuzz(func(t *testing.T, location string, status int) {
		goal := target(netip.MustParseAddrPort("203.0.113.10:443"))
		goal.Method, goal.SendsBody = "POST", true
		following("www.shop.example")(&goal)
		next := redirect(goal, &http.Response{StatusCode: status, Header: http.Header{"Location": {location}}})
		if next == nil {
			return
		}
		p := New(Settings{Lookup: func(context.Context, string) ([]netip.Addr, bool) { return []netip.Addr{found}, true }})
		first := Request{Target: goal, Address: netip.MustParseAddrPort("203.0.113.10:443"), Pinned: true, Headers: http.Header{"Authorization": {"s3cret"}}, Body: []byte("s3cret")}
		r, stop := p.hop(t.Context(), first, first, status, next, new(time.Duration))
		if why := stop.text; why != "" {
			if !utf8.ValidString(finding.Printable(why, 200)) {
				t.Errorf("%q", why)
			}
			return
		}
		own := r.Target.Host == host
		switch {
		case own && r.Address.Addr() == first.Address.Addr():
		case r.Target.Host == "www.shop.example" && r.Address.Addr() == found && !r.Pinned:
		default:
			t.Errorf("%q leads to %s at %s, pinned %v", location, r.Target.Host, r.Address, r.Pinned)
		}
		origin := own && r.Target.Scheme == "" && r.Target.Port == 443
		if (len(r.Headers) > 0 || r.Body != nil || r.Certificate != nil) && !origin {
			t.Errorf("%q sends secrets to %s", location, urlOf(r.Target))
		}
		if r.Target.Port == 0 || r.Address.Port() != r.Target.Port {
			t.Errorf("%q: port %d at %s", location, r.Target.Port, r.Address)
		}
		if _, err := compile(r); err == nil && strings.ContainsAny(r.Target.Path+r.Target.Host, "\r\n \x00") {
			t.Errorf("%q is sent as it stands: %q", location, r.Target.Path)
		}
	})
}

// FuzzJSON: no text makes the search for values fail, and what it shows is bounded.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{"{}", "[]", `{"a":{"b":[1,2,{"c":null}]}}`, `"\ud800"`, "1e999", `{"a":"\u001b[2J"}`, "[[[[", `{"a":1,"a":2}`, "\xff"} {
		f.Add(s, "a.b.#.c")
		f.Add(s, `a.#(b=="c")#.d`)
		f.Add(s, "..0")
	}
	re := regexp.MustCompile("^ok$")
	f.Fuzz(func(t *testing.T, text, path string) {
		notJSON, wrong := jsonFaults(map[string]*regexp.Regexp{path: re, "a": nil}, []byte(text))
		if notJSON && len(wrong) > 0 || len(wrong) > 2 || slices.ContainsFunc(wrong, func(s string) bool { return len(s) > 256 || !utf8.ValidString(s) }) {
			t.Errorf("%v %q", notJSON, wrong)
		}
	})
}
