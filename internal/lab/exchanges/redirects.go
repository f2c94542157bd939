package exchanges

import (
	"fmt"

	"driftprobe/internal/lab"
)

// to redirects everything with a status.
func to(status int, url string) lab.Site { return always(lab.Page{Status: status, Location: url}) }

// at is a URL of the site itself.
func at(path string) string { return "https://" + Host + ":{port}" + path }

// once redirects all but /next, where the end is.
func once(status int, url string) lab.Site {
	return lab.Site{Pages: map[string]lab.Page{"": {Status: status, Location: url}, "/next": {Body: "the end"}}}
}

// steps redirects so many times.
func steps(n int) lab.Site {
	pages := map[string]lab.Page{"": {Status: 302, Location: "/step/1"}, fmt.Sprintf("/step/%d", n): {Body: "the end"}}
	for i := 1; i < n; i++ {
		pages[fmt.Sprintf("/step/%d", i)] = lab.Page{Status: 302, Location: fmt.Sprintf("/step/%d", i+1)}
	}
	return lab.Site{Pages: pages}
}

// redirects are ways that come to an end.
func redirects() []Situation {
	end := `"status":[{"from":200,"to":200}],"body_regex":"^the end$"`
	post := func(expect string) string {
		return `{"method":"POST","sends_body":true,"redirects":{"follow":true},"expect":{` + expect + `}}`
	}
	return []Situation{
		{Name: "a redirect to a path", Refs: "RFC 9110 §10.2.2", Target: follows(end), Site: once(302, "/next")},
		{Name: "a redirect to a URL of the same host", Refs: "RFC 9110 §10.2.2", Target: follows(end), Site: once(301, at("/next"))},
		{Name: "a permanent redirect that keeps the method", Refs: "RFC 9110 §15.4.9", Target: follows(end), Site: once(308, at("/next"))},
		{Name: "a redirect without a scheme", Refs: "RFC 3986 §4.2", Target: follows(end), Site: once(307, "//"+Host+":{port}/next#part")},
		{Name: "a redirect with a user and a password", Refs: "RFC 3986 §3.2.1", Target: follows(end), Site: once(302, "https://u:hidden@"+Host+":{port}/next")},
		{Name: "a chain of ten", Refs: "RFC 9110 §15.4", Target: follows(end), Site: steps(10)},
		{Name: "a redirect to another host that is allowed", Refs: "RFC 9110 §15.4", Target: follows(end, Other), Finds: map[string]string{Other: ""}, Site: once(302, "https://"+Other+":{port}/next")},
		{
			Name: "plain HTTP, redirected to https", Refs: "RFC 9110 §4.2.2", Target: `{"scheme":"http","redirects":{"follow":true},"expect":{` + end + `,"final_url":"^https://www\\.shop\\.example:[0-9]+/$"}}`,
			Site: over(to(301, "https://"+Host+":{beside}/"), inPlain), Beside: &lab.Site{Pages: map[string]lab.Page{"": {Body: "the end"}}},
		},
		{Name: "the final URL is as expected", Refs: "docs/probe.md", Target: follows(`"final_url":"/next$"`), Site: once(302, "/next")},
		{
			Name: "a redirect that ends elsewhere", Refs: "docs/probe.md", Target: follows(`"final_url":"/home$"`), Site: once(302, "/next"),
			Want: critical("http/redirect", "another URL than expected", "/home$", "/next", "curl -iL"),
		},
		{
			Name: "a final URL where redirects are not followed", Refs: "docs/probe.md", Target: expects(`{"final_url":"/next$"}`), Site: once(302, "/next"),
			Want: critical("http/redirect", "redirects are not followed by themselves"),
		},
		{
			Name: "the body after a redirect is looked at", Refs: "docs/probe.md", Target: follows(`"body_regex":"^no$"`), Site: once(302, "/next"),
			Want: critical("http/body", "no match in 7 bytes"),
		},
		{
			Name: "the status after a redirect is looked at", Refs: "docs/probe.md", Target: follows(""),
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: 302, Location: "/next"}, "/next": {Status: 503}}},
			Want: critical("http/status", "HTTP 503"),
		},
		{Name: "POST, redirected to its result at the same URL", Relayed: true, Refs: "RFC 9110 §15.4.4", Target: post(""), Body: "ping", Site: lab.Site{Pages: map[string]lab.Page{"POST " + Path: {Status: 303, Location: Path}}}},
		{
			Name: "POST, redirected with its body to another path", Relayed: true, Refs: "RFC 9110 §15.4.8", Target: post(`"body_regex":"^POST ping$"`), Body: "ping",
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: 307, Location: "/b"}, "/b": {Echoes: true}}},
		},
	}
}

// circles are ways without an end.
func circles() []Situation {
	return []Situation{
		{
			Name: "a redirect to the very same URL", Refs: "RFC 9110 §15.4", Site: to(301, at(Path)),
			Want: critical("http/redirect", "to the very URL that was asked", "trust X-Forwarded-Proto"),
		},
		{
			Name: "a redirect to the very same URL in another spelling", Refs: "RFC 3986 §6.2.2.1", Site: to(308, "HTTPS://WWW.SHOP.EXAMPLE:{port}"+Path),
			Want: critical("http/redirect", "to the very URL that was asked"),
		},
		{
			Name: "a redirect to its own path", Refs: "RFC 9110 §10.2.2", Site: to(302, Path),
			Want: critical("http/redirect", "to the very URL that was asked", "back to where they are"),
		},
		{
			Name: "plain HTTP that is redirected to itself", Refs: "RFC 9110 §15.4", Target: `{"scheme":"http"}`, Site: over(to(308, "http://"+Host+":{port}"+Path), inPlain),
			Want: critical("http/redirect", "to the very URL that was asked", "take the redirect out there"),
		},
		{
			Name: "a redirect to a page that is redirected to itself", Refs: "RFC 9110 §15.4", Target: follows(""),
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: 302, Location: "/a"}, "/a": {Status: 301, Location: at("/a")}}},
			Want: critical("http/redirect", "in a circle, back to", "take one of the redirects out"),
		},
		{
			Name: "a circle that leads back to the first", Refs: "RFC 9110 §15.4", Target: `{"method":"GET","redirects":{"follow":true}}`,
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: 302, Location: "/a"}, "/a": {Status: 302, Location: Path}}},
			Want: critical("http/redirect", "in a circle, back to https://"+Host),
		},
		{Name: "a redirect to the very same URL, with a cookie", Refs: "RFC 6265 §3", Site: always(lab.Page{Status: 302, Location: at(Path), Header: map[string]string{"Set-Cookie": "seen=1"}})},
		{
			Name: "a circle of two", Refs: "RFC 9110 §15.4", Target: follows(""),
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: 302, Location: "/a"}, "/a": {Status: 302, Location: "/b"}, "/b": {Status: 302, Location: "/a"}}},
			Want: critical("http/redirect", "in a circle, back to", "take one of the redirects out"),
		},
		{
			Name: "a chain of eleven", Refs: "RFC 9110 §15.4", Target: follows(""), Site: steps(11),
			Want: critical("http/redirect", "more than 10 redirects"),
		},
	}
}

// kept are redirects that leave the method as it is.
func kept() []Situation {
	put := `{"method":"PUT","sends_body":true,"redirects":{"follow":true},"expect":{"body_regex":"^%s$"}}`
	row := func(name string, status int, body string) Situation {
		return Situation{
			Name: name, Relayed: true, Refs: "RFC 9110 §15.4", Target: fmt.Sprintf(put, body), Body: "ping",
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: status, Location: "/b"}, "/b": {Echoes: true}}},
		}
	}
	return []Situation{
		row("PUT, moved for ever", 301, "PUT ping"), row("PUT, moved for now", 302, "PUT ping"), row("PUT, redirected to its result", 303, "GET "),
		{
			Name: "OPTIONS, moved for ever", Relayed: true, Refs: "RFC 9110 §15.4.2", Target: `{"method":"OPTIONS","redirects":{"follow":true},"expect":{"body_regex":"^OPTIONS $"}}`,
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: 301, Location: "/b"}, "/b": {Echoes: true}}},
		},
		{
			Name: "POST, moved, becomes GET", Relayed: true, Refs: "RFC 9110 §15.4.2", Target: `{"method":"POST","sends_body":true,"redirects":{"follow":true},"expect":{"body_regex":"^GET $"}}`, Body: "ping",
			Site: lab.Site{Pages: map[string]lab.Page{"": {Status: 301, Location: "/b"}, "/b": {Echoes: true}}},
		},
		{
			Name: "OPTIONS, redirected to itself", Relayed: true, Refs: "RFC 9110 §15.4.2", Target: `{"method":"OPTIONS"}`, Site: to(301, Path),
			Want: critical("http/redirect", "to the very URL that was asked"),
		},
	}
}

// nowhere are redirects that name no URL.
func nowhere() []Situation {
	bare := func(location string) lab.Page {
		return lab.Page{Raw: "HTTP/1.1 302 Found\r\n" + location + "Content-Length: 0\r\n\r\n"}
	}
	row := func(name, location, cause string) Situation {
		return Situation{
			Name: name, Relayed: true, Refs: "RFC 9110 §10.2.2", Target: follows(`"status":[{"from":200,"to":399}]`), Site: always(bare(location)),
			Want: critical("http/redirect", "leads nowhere", cause, "name a URL as the Location"),
		}
	}
	later := row("a redirect to a redirect without a Location", "", "/next leads nowhere: it has no Location")
	later.Site = lab.Site{Pages: map[string]lab.Page{"": {Status: 301, Location: "/next"}, "/next": bare("")}}
	unasked := row("a redirect without a Location, which nobody follows", "", "")
	unasked.Target, unasked.Want = "", nil
	return []Situation{
		row("a redirect without a Location", "", "it has no Location"),
		row("a redirect with an empty Location", "Location: \r\n", "it has no Location"),
		row("a redirect to what is no host", "Location: https://%zz/\r\n", `its Location "https://%zz/" is no URL`),
		row("a redirect to what is no port", "Location: https://"+Host+":port/\r\n", "is no URL to go to"),
		row("a redirect to no host", "Location: https:///healthz\r\n", "is no URL to go to"),
		later, unasked,
	}
}

// elsewhere are redirects that lead where nobody follows, or nobody is.
func elsewhere() []Situation {
	lost := func(name, refs, url, cause string, hosts ...string) Situation {
		return Situation{Name: name, Refs: refs, Target: follows("", hosts...), Site: to(302, url), Want: critical("http/redirect", cause)}
	}
	metadata := lost("a redirect to a host whose address is the cloud's metadata", "RFC 3927", "https://"+Other+"/", "special-purpose", Other)
	metadata.Finds = map[string]string{Other: "169.254.169.254"}
	inside := lost("a redirect to a host whose address is private", "RFC 1918", "https://"+Other+"/", "special-purpose", Other)
	inside.Finds = map[string]string{Other: "10.0.0.1"}
	unknown := lost("a redirect to a host without an address", "RFC 9110 §15.4", "https://"+Other+"/", "no address was found for "+Other, Other)
	return []Situation{
		lost("a redirect to another host", "RFC 9110 §15.4", "https://evil.example/", "another host, which redirects.hosts does not name: https://evil.example/"),
		lost("a redirect to an address", "RFC 9110 §15.4", "https://169.254.169.254/latest/meta-data/", "another host, which redirects.hosts does not name"),
		lost("a redirect to plain http", "RFC 9110 §4.2.2", "http://"+Host+"/", "from https to plain http"),
		lost("a redirect to a file", "RFC 8089", "file:///etc/passwd", "a URL that is not of the web"),
		lost("a redirect to a port where nobody is", "RFC 9110 §15.4", "https://"+Host+":1/", "connection refused"),
		metadata, inside, unknown,
	}
}
