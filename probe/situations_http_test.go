package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// situation is one thing that a server can do, and what must be said of it.
type situation struct {
	// serve handles each connection as it was accepted; reply is the text that a TLS
	// server gives instead; handler is a whole HTTP server.
	serve   func(net.Conn)
	reply   string
	handler http.HandlerFunc
	change  func(*inventory.Target)
	request func(*Request)
	limit   time.Duration
	// want are severity and code, says a part of what is said; want is empty if all is
	// well.
	want string
	says string
}

func replied(status, text string) string {
	return fmt.Sprintf("HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s", status, len(text), text)
}

func expecting(e inventory.Expect) func(*inventory.Target) {
	return func(t *inventory.Target) { t.Expect = e }
}

func following(hosts ...string) func(*inventory.Target) {
	return func(t *inventory.Target) { t.Redirects = inventory.Redirects{Follow: true, Hosts: hosts} }
}

// chunked is a body without end, in chunks.
const chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// endless says the beginning, and then the rest again and again until we hang up.
func endless(begin, again string) func(*tls.Conn) {
	return func(c *tls.Conn) {
		if readRequest(c) == nil {
			return
		}
		_, err := io.WriteString(c, begin)
		for err == nil {
			_, err = io.WriteString(c, again)
		}
	}
}

// drips says a text, a byte at a time, and never ends.
func drips(begin string) func(*tls.Conn) {
	return func(c *tls.Conn) {
		if readRequest(c) == nil {
			return
		}
		_, _ = io.WriteString(c, begin)
		stall(c)
	}
}

// bomb is a gzip stream of zeros; members says of how many streams, one behind the
// other (RFC 1952 section 2.2).
func bomb(size, members int) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.CopyN(z, zeros{}, int64(size))
	_ = z.Close()
	text := strings.Repeat(b.String(), members)
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", len(text), text)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func httpSituations(w world) map[string]situation {
	return map[string]situation{
		"200":                          {reply: okResponse},
		"204 without a body":           {reply: "HTTP/1.1 204 No Content\r\n\r\n"},
		"401 where nothing is asked":   {reply: replied("401 Unauthorized", "")},
		"404 is only said":             {reply: replied("404 Not Found", ""), want: "info http/status", says: "HTTP 404"},
		"421 names the wrong server":   {reply: replied("421 Misdirected Request", ""), want: "critical http/status", says: "does not serve this name"},
		"429 where 200 is right":       {reply: replied("429 Too Many Requests", ""), change: expecting(inventory.Expect{Status: []inventory.StatusRange{{From: 200, To: 299}}}), want: "critical http/status", says: "limits how often"},
		"500":                          {reply: replied("500 Oops", ""), want: "critical http/status", says: "HTTP 500"},
		"502 is no backend":            {reply: replied("502 Bad Gateway", ""), want: "critical http/status", says: "no backend"},
		"503":                          {reply: replied("503 No", ""), want: "critical http/status", says: "ready pods"},
		"504":                          {reply: replied("504 Late", ""), want: "critical http/status", says: "ready pods"},
		"200 where a range is right":   {reply: okResponse, change: expecting(inventory.Expect{Status: []inventory.StatusRange{{From: 200, To: 299}, {From: 401, To: 401}}})},
		"301 where a range is right":   {reply: "HTTP/1.1 301 Moved\r\nLocation: https://elsewhere.example/\r\nContent-Length: 0\r\n\r\n", change: expecting(inventory.Expect{Status: []inventory.StatusRange{{From: 200, To: 299}}}), want: "critical http/status", says: "elsewhere.example"},
		"plain HTTP on a TLS port":     {reply: replied("400 Bad Request", "<center>The plain HTTP request was sent to HTTPS port</center>"), want: "critical http/status", says: "plain HTTP was sent to a port that speaks TLS"},
		"the same, although 400 is ok": {reply: replied("400 Bad Request", "Client sent an HTTP request to an HTTPS server.\n"), change: expecting(inventory.Expect{Status: []inventory.StatusRange{{From: 400, To: 400}}}), want: "critical http/status", says: "pass TLS through"},
		"another 400":                  {reply: replied("400 Bad Request", "no")},

		"body as expected":          {reply: okResponse, change: expecting(inventory.Expect{BodyRegex: "^ok$"})},
		"another body":              {reply: replied("200 OK", "Welcome to nginx!"), change: expecting(inventory.Expect{BodyRegex: "^ok$"}), want: "critical http/body", says: "no match in 17 bytes"},
		"body in gzip":              {reply: gzipped("all is ok"), change: expecting(inventory.Expect{BodyRegex: "is ok$"})},
		"JSON as expected":          {reply: replied("200 OK", `{"status":"ok","checks":[{"up":true}]}`), change: expecting(inventory.Expect{JSON: map[string]string{"status": "^ok$", "checks.0.up": "true"}})},
		"JSON says something else":  {reply: replied("200 OK", `{"status":"\u001b[2Jdown"}`), change: expecting(inventory.Expect{JSON: map[string]string{"status": "^ok$", "more": ""}}), want: "critical http/body", says: `more: absent, status: \x1b[2Jdown`},
		"no JSON":                   {reply: replied("200 OK", "<html>"), change: expecting(inventory.Expect{JSON: map[string]string{"status": "ok"}}), want: "critical http/body", says: "is not JSON"},
		"JSON nested without end":   {reply: replied("200 OK", strings.Repeat("[", 900_000)), change: expecting(inventory.Expect{JSON: map[string]string{"0.0": "ok"}}), want: "critical http/body", says: "is not JSON"},
		"a header as expected":      {reply: okResponse, change: expecting(inventory.Expect{Headers: map[string]string{"Server": "^lab"}})},
		"a header is absent":        {reply: okResponse, change: expecting(inventory.Expect{Headers: map[string]string{"X-Cache": ""}}), want: "critical http/header", says: "X-Cache"},
		"slow":                      {serve: tlsServer(w.good, says(okResponse)), change: expecting(inventory.Expect{Within: 1}), want: "warning http/slow", says: "most of it"},
		"HTTP/2 as expected":        {handler: ok, change: expecting(inventory.Expect{Protocol: "h2", BodyRegex: "^ok$"})},
		"no HTTP/2":                 {reply: okResponse, change: expecting(inventory.Expect{Protocol: "h2"}), want: "warning http/protocol", says: "speaks HTTP/1.1"},
		"HTTP/1.1 as expected":      {handler: ok, change: expecting(inventory.Expect{Protocol: "http/1.1"})},
		"HTTP/2 with too much head": {handler: tooMuch, change: expecting(inventory.Expect{Protocol: "h2"}), limit: time.Minute, want: "critical http/unreachable", says: "not valid HTTP"},
		"HTTP/2 body without end":   {handler: flood, change: expecting(inventory.Expect{Protocol: "h2"})},
		"HTTP/2 without a word":     {handler: hang, change: expecting(inventory.Expect{Protocol: "h2"}), limit: 300 * time.Millisecond, want: "critical http/unreachable", says: "timeout while waiting for the response"},
		"HTTP/2 that breaks off":    {handler: abort, change: expecting(inventory.Expect{Protocol: "h2"}), want: "critical http/unreachable", says: "not valid HTTP"},

		"identity by a header":    {reply: "HTTP/1.1 200 OK\r\nX-Edge: fra-7\r\nContent-Length: 0\r\n\r\n", change: expecting(inventory.Expect{Identity: inventory.Identity{Header: "X-Edge", Regex: "^fra-"}})},
		"no identity by a header": {reply: okResponse, change: expecting(inventory.Expect{Identity: inventory.Identity{Header: "X-Edge", Regex: "^fra-"}}), want: "critical http/identity", says: "does not prove"},
		"identity by a page":      {handler: proof, change: expecting(inventory.Expect{Identity: inventory.Identity{Path: "/proof", Regex: "^3f9a$"}, BodyRegex: "^ok$"})},
		"no identity by a page":   {handler: ok, change: expecting(inventory.Expect{Identity: inventory.Identity{Path: "/proof", Regex: "^3f9a$"}}), want: "critical http/identity", says: "/proof"},

		"a redirect is not followed by itself": {reply: "HTTP/1.1 302 Found\r\nLocation: /login\r\nContent-Length: 0\r\n\r\n"},
		"a redirect to the very same URL":      {handler: again, want: "critical http/redirect", says: "X-Forwarded-Proto"},
		"a redirect is followed":               {handler: steps(1), change: following()},
		"a chain of ten":                       {handler: steps(10), change: following()},
		"a chain of eleven":                    {handler: steps(11), change: following(), want: "critical http/redirect", says: "more than 10 redirects"},
		"a circle":                             {handler: circle, change: following(), want: "critical http/redirect", says: "in a circle"},
		"a redirect to another host":           {handler: to("https://evil.example/"), change: following(), want: "critical http/redirect", says: "another host"},
		"a redirect to plain http":             {handler: to("http://" + host + "/"), change: following(), want: "critical http/redirect", says: "from https to plain http"},
		"a redirect to a file":                 {handler: to("file:///etc/passwd"), change: following(), want: "critical http/redirect", says: "not of the web"},
		"a redirect to a host without address": {handler: to("https://gone.example/"), change: following("gone.example"), want: "critical http/redirect", says: "no address was found"},
		"a redirect that ends elsewhere": {handler: steps(1), change: func(t *inventory.Target) {
			following()(t)
			t.Expect.FinalURL = "/home$"
		}, want: "critical http/redirect", says: "another URL than expected"},
		"the body after a redirect is looked at": {handler: steps(1), change: func(t *inventory.Target) {
			following()(t)
			t.Expect.BodyRegex = "^no$"
		}, want: "critical http/body", says: "no match"},

		"hangs up without a word":          {serve: tlsServer(w.good, func(c *tls.Conn) { readRequest(c) }), want: "critical http/unreachable", says: "hung up while we were waiting"},
		"hangs up within the header":       {reply: "HTTP/1.1 200 OK\r\nServer: lab\r\n", want: "critical http/unreachable", says: "hung up while we were reading the response's header"},
		"hangs up within the body":         {reply: "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok", want: "critical http/unreachable", says: "hung up while we were reading the response's body"},
		"says nothing":                     {serve: tlsServer(w.good, drips("")), limit: 300 * time.Millisecond, want: "critical http/unreachable", says: "timeout while waiting for the response"},
		"a header that never ends":         {serve: tlsServer(w.good, drips("HTTP/1.1 200 OK\r\nA: b\r\n")), limit: 300 * time.Millisecond, want: "critical http/unreachable", says: "timeout while reading the response's header"},
		"a body that never ends":           {serve: tlsServer(w.good, drips("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nok")), limit: 300 * time.Millisecond, want: "critical http/unreachable", says: "timeout while reading the response's body"},
		"is not HTTP":                      {reply: "220 mail.example ESMTP\r\n", want: "critical http/unreachable", says: "not valid HTTP"},
		"a status out of range":            {reply: replied("099 Odd", ""), want: "critical http/unreachable", says: "makes no sense"},
		"switches protocols":               {reply: "HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", want: "critical http/unreachable", says: "101"},
		"interim responses without end":    {serve: tlsServer(w.good, endless("", "HTTP/1.1 103 Early\r\nLink: x\r\n\r\n")), want: "critical http/unreachable", says: "longer than 64 KiB"},
		"a header of a megabyte":           {serve: tlsServer(w.good, endless("HTTP/1.1 200 OK\r\n", "X: "+strings.Repeat("x", 8000)+"\r\n")), want: "critical http/unreachable", says: "longer than 64 KiB"},
		"one line without end":             {serve: tlsServer(w.good, endless("HTTP/1.1 200 ", "xxxxxxxx")), want: "critical http/unreachable", says: "longer than 64 KiB"},
		"a body without end is cut":        {serve: tlsServer(w.good, endless(chunked, "1000\r\n"+strings.Repeat("x", 4096)+"\r\n"))},
		"chunks of one byte without end":   {serve: tlsServer(w.good, endless(chunked, strings.Repeat("1\r\nx\r\n", 500))), want: "critical http/unreachable", says: "breaks its own encoding"},
		"a bomb in gzip is cut":            {serve: tlsServer(w.good, says(bomb(16<<20, 1))), change: expecting(inventory.Expect{BodyRegex: "x"}), want: "critical http/body", says: "no match in 1048576 bytes"},
		"a bomb in many members":           {serve: tlsServer(w.good, says(bomb(1<<16, 4000))), change: expecting(inventory.Expect{BodyRegex: "x"}), want: "critical http/body", says: "no match in 1048576 bytes"},
		"members that hold nothing":        {serve: tlsServer(w.good, says(bomb(0, 80_000))), want: ""},
		"gzip that is none":                {reply: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 14\r\n\r\nnone of it is.", want: "critical http/unreachable", says: "breaks its own encoding"},
		"two lengths":                      {reply: "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", want: "critical http/unreachable", says: "not valid HTTP"},
		"a body although it said none":     {reply: "HTTP/1.1 204 No Content\r\nContent-Length: 2\r\n\r\nok"},
		"a server that demands a password": {handler: secured, request: func(r *Request) { r.Headers = http.Header{"Authorization": {"Basic cDpz"}} }, change: expecting(inventory.Expect{Status: []inventory.StatusRange{{From: 200, To: 200}}})},
		"a POST with its body": {
			handler: echo, request: func(r *Request) { r.Body = []byte("ping") },
			change: func(t *inventory.Target) { t.Method, t.SendsBody, t.Expect.BodyRegex = "POST", true, "^POST ping$" },
		},

		"plain HTTP":                          {serve: plainly(okResponse), change: scheme("http")},
		"plain HTTP where 503":                {serve: plainly(replied("503 No", "")), change: scheme("http"), want: "critical http/status", says: "503"},
		"plain HTTP towards a port of TLS":    {serve: func(c net.Conn) { _, _ = io.WriteString(c, "\x15\x03\x01\x00\x02\x02\x46"); stall(c) }, change: scheme("http"), want: "critical http/unreachable", says: "speaks TLS, and was asked in plain HTTP"},
		"plain HTTP towards Go's port of TLS": {handler: ok, change: scheme("http"), want: "critical http/status", says: "speaks TLS: watch https://"},
		"a TCP port that is open":             {serve: func(c net.Conn) { stall(c) }, change: scheme("tcp")},
		"a port that is open and must not be": {serve: func(c net.Conn) { stall(c) }, change: func(t *inventory.Target) { scheme("tcp")(t); t.Expect.Unreachable = true }, want: "critical http/reachable", says: "nothing may answer"},
		"TLS on a port of plain HTTP":         {serve: func(c net.Conn) { _, _ = io.WriteString(c, replied("400 Bad Request", "")); stall(c) }, want: "critical tls/handshake", says: "plain HTTP"},
	}
}

func scheme(s string) func(*inventory.Target) {
	return func(t *inventory.Target) { t.Scheme = s }
}

func plainly(reply string) func(net.Conn) {
	return func(c net.Conn) {
		if readRequest(c) != nil {
			_, _ = io.WriteString(c, reply)
		}
	}
}

func ok(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }

func tooMuch(w http.ResponseWriter, _ *http.Request) {
	for i := range 100 {
		w.Header().Set(fmt.Sprintf("X-%d", i), strings.Repeat("x", 4000))
	}
}

// flood writes until nobody listens any more.
func flood(w http.ResponseWriter, _ *http.Request) {
	part := make([]byte, 32<<10)
	for {
		if _, err := w.Write(part); err != nil {
			return
		}
	}
}

func hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

func abort(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }

func proof(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/proof" {
		_, _ = io.WriteString(w, "3f9a")
		return
	}
	ok(w, r)
}

func again(w http.ResponseWriter, r *http.Request) {
	http.Redirect(w, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusMovedPermanently)
}

func to(url string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, url, http.StatusFound) }
}

// steps redirects so many times.
func steps(n int) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		var at int
		_, _ = fmt.Sscanf(r.URL.Path, "/step/%d", &at)
		if at == n {
			ok(w, r)
			return
		}
		http.Redirect(w, r, fmt.Sprintf("/step/%d", at+1), http.StatusFound)
	}
}

func circle(w http.ResponseWriter, r *http.Request) {
	next := map[string]string{"/a": "/b", "/b": "/a"}[r.URL.Path]
	if next == "" {
		next = "/a"
	}
	http.Redirect(w, r, next, http.StatusFound)
}

func secured(w http.ResponseWriter, r *http.Request) {
	if user, password, _ := r.BasicAuth(); user != "p" || password != "s" {
		w.WriteHeader(http.StatusUnauthorized)
	}
}

func echo(w http.ResponseWriter, r *http.Request) {
	text, _ := io.ReadAll(r.Body)
	_, _ = fmt.Fprintf(w, "%s %s", r.Method, text)
}

// place opens the situation's server.
func (s situation) place(t *testing.T, w world) netip.AddrPort {
	t.Helper()
	switch {
	case s.handler != nil:
		server := httptest.NewUnstartedServer(s.handler)
		server.TLS = &tls.Config{Certificates: []tls.Certificate{w.good}}
		server.EnableHTTP2 = true
		server.Config.ErrorLog = log.New(io.Discard, "", 0)
		server.StartTLS()
		t.Cleanup(server.Close)
		return netip.MustParseAddrPort(server.Listener.Addr().String())
	case s.serve != nil:
		return listen(t, s.serve)
	}
	return listen(t, tlsServer(w.good, says(s.reply)))
}

// TestHTTPSituations: each over a real socket, with one look, and every word that
// is said of it printable.
func TestHTTPSituations(t *testing.T) {
	w := newWorld(t)
	all := httpSituations(w)
	if len(all) < 60 {
		t.Errorf("%d situations", len(all))
	}
	for name, s := range all {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := s.place(t, w)
			goal := target(at)
			if s.change != nil {
				s.change(&goal)
			}
			limit := s.limit
			if limit == 0 {
				limit = time.Minute
			}
			p := New(Settings{Roots: w.roots, Allow: loopback(), Timeout: limit, Lookup: func(context.Context, string) ([]netip.Addr, bool) { return nil, true }})
			r := Request{Target: goal, Address: at}
			if s.request != nil {
				s.request(&r)
			}
			s.check(t, goal, p.Observe(t.Context(), r))
		})
	}
}

func (s situation) check(t *testing.T, goal inventory.Target, o Observation) {
	t.Helper()
	found := Judge(Policy{}, time.Now(), goal, inventory.Expected{}, []Observation{o})
	if s.want == "" {
		if len(found) > 0 || !o.Answers(o.At) {
			t.Errorf("not well: %+v, fault %+v", found, o.Fault)
		}
		return
	}
	if len(found) != 1 || found[0].Severity.String()+" "+string(found[0].Code) != s.want {
		t.Fatalf("found %+v, want %s", found, s.want)
	}
	f := found[0]
	text := strings.Join([]string{f.Summary, f.Expected, f.Observed, f.Hint}, "\n")
	if !strings.Contains(text, s.says) {
		t.Errorf("%q is not said in\n%s", s.says, text)
	}
	for what, part := range map[string]string{"expected": f.Expected, "observed": f.Observed, "hint": f.Hint, "summary": f.Summary} {
		if part == "" || finding.Printable(part, 1<<20) != part {
			t.Errorf("%s is %q", what, part)
		}
	}
	if entry, known := finding.Lookup(f.Code); !known || entry.Fix == "" {
		t.Errorf("%s is not in the catalogue", f.Code)
	}
}
