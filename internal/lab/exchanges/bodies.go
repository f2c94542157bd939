package exchanges

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"strings"
	"time"

	"driftprobe/internal/lab"
)

// compressed is a page whose body is gzip under that name, asked for or not.
func compressed(name, body string) lab.Page {
	return lab.Page{Header: map[string]string{"Content-Encoding": name}, Body: body}
}

// zipped is a text in gzip.
func zipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text) // a buffer takes all
	_ = z.Close()
	return b.String()
}

// bodies are what an answer holds.
func bodies() []Situation {
	return []Situation{
		{Name: "the body is as expected", Refs: "RFC 9110 §6.4", Target: expects(`{"body_regex":"^ok$"}`)},
		{
			Name: "another site answers", Refs: "RFC 9110 §7.4", Target: expects(`{"body_regex":"^ok$"}`), Site: says(200, "Welcome to nginx!"),
			Want: critical("http/body", `a match of "^ok$"`, "no match in 17 bytes", "read what it says: curl"),
		},
		{
			Name: "no body at all", Refs: "RFC 9110 §6.4", Target: expects(`{"body_regex":"ok"}`), Site: says(204, ""),
			Want: critical("http/body", "HTTP 204", "no match in 0 bytes"),
		},
		{
			Name: "what is looked for begins behind a mebibyte", Relayed: true, Refs: "RFC 9110 §6.4", Target: expects(`{"body_regex":"ok$"}`), Site: says(200, strings.Repeat("x", 1<<20)+"ok"),
			Want: critical("http/body", "no match in 1048576 bytes"),
		},
		{Name: "JSON as expected", Refs: "RFC 8259", Target: expects(`{"json":{"status":"^ok$","checks.0.up":"true"}}`), Site: says(200, `{"status":"ok","checks":[{"up":true}]}`)},
		{
			Name: "JSON says something else", Refs: "RFC 8259", Target: expects(`{"json":{"status":"^ok$","more":""}}`), Site: says(200, `{"status":"\u001b[2Jdown"}`),
			Want: critical("http/body", `more: absent, status: \x1b[2Jdown`),
		},
		{Name: "JSON null, and a number in another spelling", Refs: "RFC 8259 §6", Target: expects(`{"json":{"a":"^$","b":"^100$"}}`), Site: says(200, `{"a":null,"b":1e2}`)},
		{
			Name: "JSON of another type", Refs: "RFC 8259 §3", Target: expects(`{"json":{"a.up":"","b.c.0":""}}`), Site: says(200, `{"a":"x","b":{"c":[]}}`),
			Want: critical("http/body", "a.up: absent, b.c.0: absent"),
		},
		{
			Name: "a page in place of JSON", Refs: "RFC 8259 §2", Target: expects(`{"json":{"status":"ok"}}`), Site: says(200, "<html>"),
			Want: critical("http/body", "a body that is not JSON", "6 bytes that are not a JSON text"),
		},
	}
}

// texts are bodies in an encoding, or in a framing that readers get wrong.
func texts() []Situation {
	text := expects(`{"body_regex":"^all is ok$"}`)
	chunked := "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n"
	h2 := `{"expect":{"protocol":"h2"}}`
	return []Situation{
		{Name: "gzip that nobody asked for", Refs: "RFC 9110 §8.4.1.3", Target: text, Site: always(compressed("gzip", zipped("all is ok")))},
		{Name: "gzip by its old name", Refs: "RFC 9110 §8.4.1.3", Target: text, Site: always(compressed("x-gzip", zipped("all is ok")))},
		{
			Name: "an encoding that was not asked for", Refs: "RFC 9110 §12.5.3", Target: text, Site: always(compressed("br", "\x0b\x04\x80all is ok\x03")),
			Want: critical("http/body", "encoded as br although identity was asked for"),
		},
		{
			Name: "gzip that is none", Refs: "RFC 1952 §2.3.1", Site: always(compressed("gzip", "none of it is.")),
			Want: critical("http/unreachable", "HTTP 200", "breaks its own encoding"),
		},
		{
			Name: "gzip that ends early, in a body that does not", Relayed: true, Refs: "RFC 1952 §2.3.1", Site: always(compressed("gzip", zipped("all is ok")[:12])),
			Want: critical("http/unreachable", "HTTP 200", "breaks its own encoding", "compare with: curl"),
		},
		{
			Name: "gzip that ends within its header, in chunks", Relayed: true, Refs: "RFC 1952 §2.3", Site: raw(chunked + "\r\n5\r\n" + zipped("")[:5] + "\r\n0\r\n\r\n"),
			Want: critical("http/unreachable", "breaks its own encoding"),
		},
		{
			Name: "gzip that ends early where only the end of the connection ends the body", Refs: "RFC 9112 §6.3", Site: raw("HTTP/1.0 200 OK\r\nContent-Encoding: gzip\r\n\r\n" + zipped("all is ok")[:12]),
			Want: critical("http/unreachable", "hung up while we were reading the response's body"),
		},
		{Name: "gzip is said, and there is no body: 204", Refs: "RFC 9110 §8.4", Target: h2, Site: over(always(lab.Page{Status: 204, Header: map[string]string{"Content-Encoding": "gzip"}}), http2)},
		{Name: "gzip is said, and there is no body: HEAD", Refs: "RFC 9110 §9.3.2", Target: `{"method":"HEAD","expect":{"protocol":"h2"}}`, Site: over(always(compressed("gzip", zipped("ok"))), http2)},
		{Name: "gzip is said, and the chunks hold nothing", Relayed: true, Refs: "RFC 9112 §7.1", Site: raw(chunked + "\r\n0\r\n\r\n")},
		{Name: "gzip in chunks of a byte, with a trailer", Relayed: true, Refs: "RFC 9112 §7.1.2", Target: text, Site: raw(chunked + "Trailer: X-Sum\r\n\r\n" + bytewise(zipped("all is ok")) + "0\r\nX-Sum: 1\r\n\r\n")},
		{Name: "HTTP/1.0 without a length", Relayed: true, Refs: "RFC 9112 §6.3", Target: text, Site: raw("HTTP/1.0 200 OK\r\n\r\nall is ok")},
		{Name: "a body although it said none", Relayed: true, Refs: "RFC 9112 §6.3", Site: raw("HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok")},
	}
}

// bytewise makes a chunk of each byte.
func bytewise(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("1\r\n" + text[i:i+1] + "\r\n")
	}
	return b.String()
}

// bombs are bodies that are more than they seem.
func bombs() []Situation {
	x := expects(`{"body_regex":"x"}`)
	cut := critical("http/body", "no match in 1048576 bytes")
	return []Situation{
		{Name: "a body without end is cut", Relayed: true, Refs: "RFC 9112 §7.1", Site: always(lab.Page{Again: strings.Repeat("x", 32<<10)})},
		{Name: "a body without end over HTTP/2 is cut", Relayed: true, Refs: "RFC 9113 §8.1", Target: expects(`{"protocol":"h2"}`), Site: over(always(lab.Page{Again: strings.Repeat("x", 32<<10)}), http2)},
		{
			Name: "chunks of one byte without end", Refs: "RFC 9112 §7.1", Site: always(lab.Page{Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", Again: strings.Repeat("1\r\nx\r\n", 500)}),
			Want: critical("http/unreachable", "breaks its own encoding"),
		},
		{Name: "a bomb in gzip is cut", Relayed: true, Refs: "RFC 1952", Target: x, Site: always(compressed("gzip", zipped(strings.Repeat("\x00", 16<<20)))), Want: cut},
		{Name: "a bomb in many members is cut", Relayed: true, Refs: "RFC 1952 §2.2", Target: x, Site: always(compressed("gzip", strings.Repeat(zipped(strings.Repeat("\x00", 1<<16)), 4000))), Want: cut},
		{Name: "members that hold nothing", Relayed: true, Refs: "RFC 1952 §2.2", Site: always(compressed("gzip", strings.Repeat(zipped(""), 80_000)))},
		{
			Name: "JSON nested without end", Relayed: true, Refs: "RFC 8259 §9", Target: expects(`{"json":{"0.0":"ok"}}`), Site: says(200, strings.Repeat("[", 900_000)),
			Want: critical("http/body", "is not JSON"),
		},
	}
}

// headers are fields that are wanted, or too many.
func headers() []Situation {
	many := map[string]string{}
	for i := range 100 {
		many[fmt.Sprintf("X-%d", i)] = strings.Repeat("x", 1000)
	}
	some := map[string]string{"X-Policy": strings.Repeat("x", 3500), "X-Trace": strings.Repeat("y", 3500)}
	return []Situation{
		{Name: "a header as expected", Refs: "RFC 9110 §5", Target: expects(`{"headers":{"X-Cache":"^HIT"}}`), Site: always(lab.Page{Header: map[string]string{"X-Cache": "HIT from fra-7"}, Body: "ok"})},
		{
			Name: "a header is absent", Refs: "RFC 9110 §5", Target: expects(`{"headers":{"X-Cache":""}}`),
			Want: critical("http/header", "without an expected header", "absent or different: X-Cache"),
		},
		{
			Name: "a header says something else", Refs: "RFC 9110 §5", Target: expects(`{"headers":{"X-Cache":"^HIT"}}`), Site: always(lab.Page{Header: map[string]string{"X-Cache": "MISS"}, Body: "ok"}),
			Want: critical("http/header", "X-Cache: ^HIT", "absent or different: X-Cache"),
		},
		{Name: "long headers", Refs: "RFC 9110 §5.4", Site: always(lab.Page{Header: some, Body: "ok"})},
		{Name: "100 KiB of headers", Refs: "RFC 9110 §5.4", Site: always(lab.Page{Header: many, Body: "ok"}), Want: critical("http/unreachable", "header is longer than 64 KiB")},
		{
			Name: "100 KiB of headers over HTTP/2", Refs: "RFC 9113 §6.5.2", Target: expects(`{"protocol":"h2"}`), Site: over(always(lab.Page{Header: many, Body: "ok"}), http2),
			Want: critical("http/unreachable", "header is longer than 64 KiB"),
		},
	}
}

// methods are requests other than GET.
func methods() []Situation {
	return []Situation{
		{Name: "HEAD has no body", Refs: "RFC 9110 §9.3.2", Target: `{"method":"HEAD"}`, Site: says(200, "not for you")},
		{
			Name: "a POST with its body", Relayed: true, Refs: "RFC 9110 §9.3.3", Target: `{"method":"POST","sends_body":true,"expect":{"body_regex":"^POST ping$"}}`, Body: "ping",
			Site: always(lab.Page{Echoes: true}),
		},
		{Name: "HEAD is repeated by hand as such", Refs: "RFC 9110 §9.3.2", Target: `{"method":"HEAD"}`, Site: says(500, ""), Want: critical("http/status", "read what it says: curl -I --resolve")},
	}
}

// speeds are answers that come late, or slowly.
func speeds() []Situation {
	half := expects(`{"within_ns":500000000}`)
	return []Situation{
		{Name: "quick enough", Refs: "docs/probe.md", Target: expects(`{"within_ns":60000000000}`)},
		{
			Name: "a slow body", Relayed: true, Refs: "nginx: limit_rate", Target: half, Site: always(lab.Page{Body: strings.Repeat("slow ", 500), Rate: 1000}),
			Want: warning("http/slow", "a response within 500ms", "reading the body", "look at the size of the response"),
		},
		{
			Name: "a slow application behind a load balancer", Refs: "docs/probe.md", Target: half, Behind: behind(lab.Page{Delay: time.Second, Body: "ok"}),
			Want: warning("http/slow", "waiting for the response", "look at the application"),
		},
	}
}

// versions are the versions of HTTP.
func versions() []Situation {
	h2 := expects(`{"protocol":"h2","body_regex":"^ok$"}`)
	return []Situation{
		{Name: "HTTP/2 as expected", Refs: "RFC 9113 §3.2", Target: h2, Site: lab.Site{H2: true}},
		{Name: "no HTTP/2", Refs: "RFC 7301 §3.1", Target: h2, Want: warning("http/protocol", "speaks HTTP/1.1", "offer h2 by ALPN")},
		{Name: "HTTP/1.1 as expected, where HTTP/2 is spoken too", Refs: "RFC 7301 §3.1", Target: expects(`{"protocol":"http/1.1"}`), Site: lab.Site{H2: true}},
	}
}
