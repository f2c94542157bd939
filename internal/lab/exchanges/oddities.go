package exchanges

import (
	"strings"

	"driftprobe/internal/lab"
)

const (
	okay    = "HTTP/1.1 200 OK\r\n"
	chunks  = okay + "Transfer-Encoding: chunked\r\n\r\n"
	content = "Content-Length: 9\r\n\r\nall is ok"
)

// oddities are answers that are unusual and right: what clients take must not be told.
func oddities() []Situation {
	text := expects(`{"body_regex":"^all is ok$"}`)
	fine := func(name, refs, said string) Situation {
		return Situation{Name: name, Refs: refs, Target: text, Site: raw(said)}
	}
	folded := fine("a header on two lines", "RFC 9112 §5.2", okay+"X-Cache: HIT\r\n from fra-7\r\n"+content)
	folded.Target = expects(`{"headers":{"X-Cache":"^HIT from fra-7$"}}`)
	lying := fine("HTTP/1.1 that calls itself HTTP/2.0", "RFC 9112 §2.3", "HTTP/2.0 200 OK\r\n"+content)
	lying.Target = expects(`{"protocol":"http/1.1","body_regex":"^all is ok$"}`)
	head := fine("HEAD, and a body all the same", "RFC 9110 §9.3.2", okay+content)
	head.Target = `{"method":"HEAD"}`
	behind := fine("what stands behind gzip is passed over", "RFC 1952 §2.2", "")
	behind.Site = always(compressed("gzip", zipped("all is ok")+"garbage, a lot of it"))
	two := fine("gzip in two members", "RFC 1952 §2.2", "")
	two.Site = always(compressed("gzip", zipped("all ")+zipped("is ok")))
	follow := func(name string, status int) Situation {
		return Situation{Name: name, Refs: "RFC 9110 §15.4", Target: follows(`"status":[{"from":300,"to":305}]`), Site: to(status, "http://169.254.169.254/")}
	}
	return []Situation{
		fine("the same length twice", "RFC 9112 §6.3", okay+"Content-Length: 9\r\n"+content),
		fine("a length and chunks", "RFC 9112 §6.3", okay+"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nall is ok\r\n0\r\n\r\n"),
		fine("chunks with extensions and trailers", "RFC 9112 §7.1", chunks+"9;a=\"b\"\r\nall is ok\r\n0;c\r\nX-Sum: 1\r\n\r\n"),
		fine("a status without its reason", "RFC 9112 §4", "HTTP/1.1 200\r\n"+content),
		fine("lines that end with a line feed alone", "RFC 9112 §2.2", "HTTP/1.1 200 OK\nContent-Length: 9\n\nall is ok"),
		fine("more is said after the response", "RFC 9112 §9.2", okay+content+"HTTP/1.1 500 Oops\r\n\r\n"),
		fine("gzip, and no other encoding", "RFC 9110 §8.4", okay+"Content-Encoding: identity\r\nContent-Encoding: gzip, identity\r\n\r\n"+zipped("all is ok")),
		folded, lying, head, behind, two,
		follow("several choices are not followed", 300), follow("nobody is led to a proxy", 305),
	}
}

// broken are answers that clients refuse, each with its cause.
func broken() []Situation {
	bad := func(name, refs, said, cause string) Situation {
		return Situation{Name: name, Refs: refs, Site: raw(said), Want: critical("http/unreachable", cause, "compare with: curl")}
	}
	flood := func(name, begin, again string) Situation {
		s := bad(name, "RFC 9112 §7.1", "", "breaks its own encoding")
		s.Site = always(lab.Page{Raw: begin, Again: again})
		return s
	}
	sum := zipped("all is ok")
	return []Situation{
		bad("a length below nothing", "RFC 9110 §8.6", okay+"Content-Length: -1\r\n\r\n", "its Content-Length makes no sense"),
		bad("a transfer coding that nobody knows", "RFC 9112 §6.1", okay+"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "its Transfer-Encoding is one that clients do not know"),
		bad("a zero byte in the header", "RFC 9110 §5.5", okay+"X: a\x00b\r\n"+content, "a line of its header is no field"),
		bad("four digits of a status", "RFC 9110 §15", "HTTP/1.1 2000 OK\r\n"+content, `it begins with "HTTP/1.1 2000 OK"`),
		bad("a body and no header, as of old", "RFC 1945 §4.1", "<html>\x1b[2J</html>", `it begins with "<html>\x1b[2J</html`),
		bad("HTTP/2 that was not agreed on", "RFC 9113 §3.4", "\x00\x00\x06\x04\x00\x00\x00\x00\x00\x00\x03\x00\x00\x00\x80", "it is HTTP/2, which was not agreed on"),
		bad("chunks that overflow", "RFC 9112 §7.1", chunks+"FFFFFFFFFFFFFFFFF\r\nx", "breaks its own encoding"),
		bad("a chunk without its end", "RFC 9112 §7.1", chunks+"2\r\nokXX0\r\n\r\n", "breaks its own encoding"),
		bad("gzip with another checksum", "RFC 1952 §2.3.1", okay+"Content-Encoding: gzip\r\n\r\n"+sum[:len(sum)-8]+"12345678", "breaks its own encoding"),
		flood("chunks whose extensions are most of them", chunks, "1;"+strings.Repeat("a", 1000)+"\r\nx\r\n"),
		flood("a chunk's extension without end", chunks+"1;", strings.Repeat("a", 1000)),
		flood("trailers without end", chunks+"2\r\nok\r\n0\r\n", "X: "+strings.Repeat("y", 100)+"\r\n"),
	}
}

// misunderstood are answers that look well, or like another fault than they have.
func misunderstood() []Situation {
	text := expects(`{"body_regex":"^all is ok$"}`)
	encoded := func(name, said, cause string) Situation {
		return Situation{Name: name, Refs: "RFC 9110 §8.4", Target: text, Site: raw(said), Want: critical("http/body", cause, "identity was asked for")}
	}
	away := func(name, refs, location, cause string) Situation {
		return Situation{
			Name: name, Refs: refs, Target: follows(""), Site: raw("HTTP/1.1 302 Found\r\nLocation: " + location + "\r\nContent-Length: 0\r\n\r\n"),
			Want: critical("http/redirect", cause),
		}
	}
	return []Situation{
		encoded("gzip in gzip", okay+"Content-Encoding: gzip, gzip\r\n\r\n"+zipped(zipped("all is ok")), "encoded as gzip, gzip"),
		encoded("gzip and another encoding, on two lines", okay+"Content-Encoding: gzip\r\nContent-Encoding: br\r\n\r\nwhatever", "encoded as gzip, br"),
		away("a redirect with backslashes", "WHATWG URL §4.4", `\\evil.example\x`, "another host, which redirects.hosts does not name: https://evil.example/x"),
		away("a redirect to a script", "RFC 9110 §10.2.2", "javascript:alert(1)", "a URL that is not of the web"),
		{Name: "a status beyond all classes", Refs: "RFC 9110 §15", Site: raw("HTTP/1.1 999 Denied\r\nContent-Length: 0\r\n\r\n"), Want: critical("http/status", "HTTP 999")},
		{
			Name: "JSON behind a byte order mark", Refs: "RFC 8259 §8.1", Target: expects(`{"json":{"a":"1"}}`), Site: says(200, "\xef\xbb\xbf{\"a\":1}"),
			Want: critical("http/body", "a body that is not JSON"),
		},
		{
			Name: "nobody is behind Cloudflare", Refs: "Cloudflare: 5xx errors", Site: raw("HTTP/1.1 521 \r\nServer: cloudflare\r\nContent-Length: 0\r\n\r\n"),
			Want: critical("http/status", "HTTP 521", "Cloudflare stands in front", "origin's address"),
		},
	}
}
