package exchanges

import (
	"strings"
	"time"

	"driftprobe/internal/lab"
)

// short is an answer that announces more than comes.
func short(change func(*lab.Page)) lab.Page {
	p := lab.Page{Header: map[string]string{"Content-Length": "10"}, Body: "ok"}
	change(&p)
	return p
}

func closes(p *lab.Page) { p.Closes = true }

func holds(p *lab.Page) { p.Holds = true }

// ends are connections that end too early.
func ends() []Situation {
	return []Situation{
		{
			Name: "hangs up without a word", Refs: "nginx: 444", Site: always(lab.Page{Closes: true}),
			Want: critical("http/unreachable", "waiting for the response", "healthy backend"),
		},
		{
			Name: "hangs up within the header", Refs: "RFC 9112 §8", Site: raw("HTTP/1.1 200 OK\r\nServer: lab\r\n"),
			Want: critical("http/unreachable", "hung up while we were reading the response's header"),
		},
		{
			Name: "hangs up within the body", Relayed: true, Refs: "RFC 9112 §8", Site: always(short(closes)),
			Want: critical("http/unreachable", "HTTP 200", "reading the response's body", "healthy backend"),
		},
		{
			Name: "breaks off over HTTP/2", Refs: "RFC 9113 §5.4.2", Target: expects(`{"protocol":"h2"}`), Site: over(always(lab.Page{Closes: true}), http2),
			Want: critical("http/unreachable", "ended the stream while we were waiting for the response", "healthy backend"),
		},
		{
			Name: "breaks off within the body over HTTP/2", Refs: "RFC 9113 §5.4.2", Target: expects(`{"protocol":"h2"}`), Site: over(always(short(closes)), http2),
			Want: critical("http/unreachable", "HTTP 200", "ended the stream while we were reading the response's body"),
		},
	}
}

// silences are servers that do not go on.
func silences() []Situation {
	return []Situation{
		{
			Name: "says nothing", Relayed: true, Refs: "RFC 9110 §15.6.5", Endless: true, Site: always(lab.Page{Holds: true}),
			Want: critical("http/unreachable", "timeout while waiting for the response", "does not answer in time"),
		},
		{
			Name: "says nothing over HTTP/2", Relayed: true, Refs: "RFC 9110 §15.6.5", Endless: true, Target: expects(`{"protocol":"h2"}`), Site: over(always(lab.Page{Holds: true}), http2),
			Want: critical("http/unreachable", "timeout while waiting for the response"),
		},
		{
			Name: "a header that never ends", Refs: "RFC 9112 §5", Endless: true, Site: always(lab.Page{Raw: "HTTP/1.1 200 OK\r\nA: b\r\n", Holds: true}),
			Want: critical("http/unreachable", "timeout while reading the response's header"),
		},
		{
			Name: "a body that never ends", Refs: "RFC 9112 §6", Endless: true, Site: always(short(holds)),
			Want: critical("http/unreachable", "HTTP 200", "timeout while reading the response's body", "does not answer in time"),
		},
		{Name: "an answer after which the connection is kept open all the same", Relayed: true, Refs: "RFC 9112 §9.6", Site: always(lab.Page{Raw: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", Holds: true})},
		{
			Name: "a service that is meant to be closed and is only slow", Relayed: true, Refs: "docs/probe.md", Endless: true, Target: expects(`{"unreachable":true}`), Site: always(lab.Page{Holds: true}),
			Want: critical("http/reachable", "a connection on port"),
		},
	}
}

// malformed are answers that are no HTTP.
func malformed() []Situation {
	bad := func(name, refs, text, cause string) Situation {
		return Situation{Name: name, Refs: refs, Site: raw(text), Want: critical("http/unreachable", cause, "compare with: curl")}
	}
	return []Situation{
		bad("is not HTTP", "RFC 9112 §4", "220 mail.example ESMTP\r\n", "not valid HTTP"),
		bad("a status out of range", "RFC 9110 §15", "HTTP/1.1 099 Odd\r\nContent-Length: 0\r\n\r\n", "the status 99, which makes no sense"),
		bad("switches protocols", "RFC 9110 §15.2.2", "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", "the status 101, which makes no sense"),
		bad("two lengths", "RFC 9112 §6.3", "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "not valid HTTP"),
		bad("chunks that are none", "RFC 9112 §7.1", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "breaks its own encoding"),
	}
}

// endless are heads that do not end.
func endless() []Situation {
	long := func(name, refs, begin, again string) Situation {
		return Situation{Name: name, Refs: refs, Site: always(lab.Page{Raw: begin, Again: again}), Want: critical("http/unreachable", "longer than 64 KiB", "compare with: curl")}
	}
	return []Situation{
		long("interim responses without end", "RFC 9110 §15.2", "HTTP/1.1 103 Early\r\n\r\n", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n"),
		long("a header without end", "RFC 9112 §5", "HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("x", 8000)+"\r\n"),
		long("one line without end", "RFC 9112 §4", "HTTP/1.1 200 ", "xxxxxxxx"),
	}
}

// balancers stand in front of a server in which the fault is.
func balancers() []Situation {
	secure, introduced := lab.Site{}, lab.Site{Plain: true, Introduced: true}
	return []Situation{
		{Name: "a load balancer in front of a good server", Refs: "RFC 9110 §3.7", Behind: behind(lab.Page{Body: "ok"})},
		{Name: "nobody is behind the load balancer", Refs: "RFC 9110 §15.6.3", Deserted: true, Want: critical("http/status", "HTTP 50", "ready pods")},
		{
			Name: "what is behind the load balancer says nothing", Refs: "RFC 9110 §15.6.5", Site: lab.Site{Patience: time.Second}, Behind: behind(lab.Page{Holds: true}),
			Want: critical("http/status", "HTTP 504", "ready pods"),
		},
		{Name: "what is behind the load balancer hangs up", Refs: "RFC 9110 §15.6.3", Behind: behind(lab.Page{Closes: true}), Want: critical("http/status", "HTTP 502", "no backend that answers")},
		{Name: "what is behind the load balancer expects PROXY protocol", Refs: "PROXY protocol §2", Behind: &introduced, Want: critical("http/status", "HTTP 502", "no backend that answers")},
		{
			Name: "what is behind the load balancer breaks off in the body", Refs: "RFC 9112 §8", Behind: behind(short(closes)),
			Want: critical("http/unreachable", "HTTP 200", "reading the response's body"),
		},
		{
			Name: "what is behind the load balancer breaks off within chunks", Refs: "RFC 9112 §7.1", Behind: behind(lab.Page{Raw: "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n"}),
			Want: critical("http/unreachable", "HTTP 200", "reading the response's body"),
		},
		{
			Name: "the load balancer speaks plain HTTP to a port of TLS", Refs: "RFC 9110 §4.2.2", Behind: &secure,
			Want: critical("http/status", "plain HTTP was sent to a port that speaks TLS", "pass TLS through"),
		},
		{
			Name: "the application is in maintenance", Refs: "RFC 9110 §10.2.3", Behind: behind(lab.Page{Status: 503, Header: map[string]string{"Retry-After": "3600"}, Body: "back at ten"}),
			Want: critical("http/status", "HTTP 503, Retry-After 3600", "in maintenance", "if it is not planned, see whether the application has ready pods"),
		},
		{
			Name: "the application is in maintenance until a date", Refs: "RFC 9110 §10.2.3", Behind: behind(lab.Page{Status: 503, Header: map[string]string{"Retry-After": "Fri, 31 Dec 2999 23:59:59 GMT"}}),
			Want: critical("http/status", "in maintenance"),
		},
		unready("0"), unready("soon"), unready("Mon, 23 Nov 2020 03:00:00 GMT"), unready("-1"),
		{
			Name: "the load balancer sends PROXY protocol to a server that does not expect it", Refs: "PROXY protocol §2", Site: lab.Site{Introduces: true}, Behind: behind(lab.Page{Body: "ok"}),
			Want: warning("http/status", "HTTP 400", "sends PROXY protocol only to a server that expects it"),
		},
		{Name: "the application redirects to https, which it does not know it has", Refs: "RFC 7239 §5.4", Behind: behind(lab.Page{Status: 301, Location: "https://{host}" + Path}), Want: critical("http/redirect", "trust X-Forwarded-Proto")},
	}
}

// unready is 503 with a Retry-After that names no time to come.
func unready(after string) Situation {
	return Situation{
		Name: "503 with Retry-After: " + after, Refs: "RFC 9110 §10.2.3", Site: always(lab.Page{Status: 503, Header: map[string]string{"Retry-After": after}}),
		Want: critical("http/status", "check that the application behind it has ready pods"),
	}
}

// plain are targets without TLS.
func plain() []Situation {
	const http, tcp = `{"scheme":"http"}`, `{"scheme":"tcp"}`
	return []Situation{
		{Name: "plain HTTP", Refs: "RFC 9110 §4.2.1", Target: http, Site: lab.Site{Plain: true}},
		{Name: "plain HTTP where 503", Refs: "RFC 9110 §4.2.1", Target: http, Site: over(says(503, ""), inPlain), Want: critical("http/status", "HTTP 503")},
		{Name: "plain HTTP to a port of TLS, which says so", Refs: "RFC 9110 §4.2.2", Target: http, Want: critical("http/status", "speaks TLS: watch https://")},
		{
			Name: "plain HTTP to a port of TLS, which sends an alert", Refs: "RFC 8446 §5.1", Target: http, Site: over(raw("\x15\x03\x01\x00\x02\x02\x46"), inPlain),
			Want: critical("http/unreachable", "speaks TLS, and was asked in plain HTTP"),
		},
		{
			Name: "plain HTTP where PROXY protocol is expected", Refs: "PROXY protocol §2", Target: http, Site: lab.Site{Plain: true, Introduced: true},
			Want: critical("http/unreachable", "waiting for the response", "PROXY protocol"),
		},
		{Name: "a TCP port that is open", Refs: "RFC 9293 §3.5", Target: tcp},
		{Name: "a port that is open and must not be", Refs: "docs/probe.md", Target: `{"scheme":"tcp","expect":{"unreachable":true}}`, Want: critical("http/reachable", "nothing may answer")},
		{Name: "a site that answers and must not", Refs: "docs/probe.md", Target: expects(`{"unreachable":true}`), Want: critical("http/reachable", "nothing may answer")},
	}
}
