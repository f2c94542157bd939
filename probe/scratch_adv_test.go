package probe

import (
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"testing"
	"time"
	"context"
	"net/netip"
	"bytes"
	"compress/gzip"

	"driftprobe/internal/inventory"
)

func TestScratch(t *testing.T) {
	w := newWorld(t)
	emptygz := func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "gzip"); w.WriteHeader(204) }
	chunkedgz := "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
	var zb bytes.Buffer
	z := gzip.NewWriter(&zb); z.Write([]byte("all is ok")); z.Close()
	chunkgz := "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
	for _, c := range zb.Bytes() { chunkgz += "1\r\n" + string([]byte{c}) + "\r\n" }
	chunkgz += "0\r\nX-Sum: 1\r\n\r\n"
	expectH2 := expecting(inventory.Expect{Protocol: "h2"})
	for name, s := range map[string]situation{
		"h2 204 gzip": {handler: emptygz, change: expectH2},
		"h2 HEAD gzip": {handler: func(w http.ResponseWriter, r *http.Request) { w.Header().Set("Content-Encoding", "gzip"); w.WriteHeader(200) }, change: func(t *inventory.Target) { t.Method = "HEAD"; t.Expect.Protocol = "h2" }},
		"chunked empty gzip": {reply: chunkedgz},
		"chunk gz trailer": {reply: chunkgz, change: expecting(inventory.Expect{BodyRegex: "^all is ok$"})},
		"x-gzip": {reply: fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: x-gzip\r\nContent-Length: %d\r\n\r\n%s", zb.Len(), zb.String()), change: expecting(inventory.Expect{BodyRegex: "^all is ok$"})},
		"br": {reply: "HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 3\r\n\r\nabc", change: expecting(inventory.Expect{BodyRegex: "^all is ok$"})},
		"304 with length": {reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"},
		"HEAD with length": {reply: "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n", change: func(t *inventory.Target) { t.Method = "HEAD" }},
		"103 then 200": {reply: "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + okResponse},
		"HTTP/1.0": {reply: "HTTP/1.0 200 OK\r\n\r\nok", change: expecting(inventory.Expect{BodyRegex: "^ok$"})},
		"circle with :443": {reply: "HTTP/1.1 301 Moved\r\nLocation: https://WWW.shop.example:PORT/healthz?full=1\r\nContent-Length: 0\r\n\r\n"},
		"h2 reset": {handler: func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, change: expectH2},
		"post 303 self": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" { http.Redirect(w, r, r.URL.String(), 303); return }; ok(w, r) }, change: func(t *inventory.Target) { following()(t); t.Method, t.SendsBody = "POST", true }, request: func(r *Request) { r.Body = []byte("ping") }},
		"post 307 other path": {handler: func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path != "/b" { http.Redirect(w, r, "/b", 307); return }; echo(w, r) }, change: func(t *inventory.Target) { following()(t); t.Method, t.SendsBody = "POST", true; t.Expect.BodyRegex = "^POST ping$" }, request: func(r *Request) { r.Body = []byte("ping") }},
		"unreachable half open": {serve: func(c net.Conn) { stall(c) }, limit: 300 * time.Millisecond, change: expecting(inventory.Expect{Unreachable: true})},
		"unreachable slow app": {serve: tlsServer(w.good, drips("")), limit: 300 * time.Millisecond, change: expecting(inventory.Expect{Unreachable: true})},
		"fragment redirect": {handler: func(w http.ResponseWriter, r *http.Request) { if r.URL.Path == "/x" { ok(w, r); return }; w.Header().Set("Location", "//"+r.Host+"/x#frag"); w.WriteHeader(302) }, change: following()},
		"userinfo redirect": {handler: func(w http.ResponseWriter, r *http.Request) { if r.URL.Path == "/x" { ok(w, r); return }; w.Header().Set("Location", "https://u:secret@"+r.Host+"/x"); w.WriteHeader(302) }, change: following()},
		"bad redirect target cert/self": {handler: to("https://gone.example:1/"), change: following("gone.example")},
		"nullbyte JSON": {reply: replied("200 OK", "{\"a\":null,\"b\":1e2,\"c\":\"x\"}"), change: expecting(inventory.Expect{JSON: map[string]string{"a": "^$", "b": "^100$", "c.d": "x", "b.0":"1"}})},
		"optional client cert, app 400": {serve: func() func(net.Conn) { 
			return func(c net.Conn) { s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.good}, ClientAuth: tls.RequestClientCert}); if readRequest(s) != nil { s.Write([]byte(replied("400 Bad Request", "missing parameter q"))) } } }()},
		"h2 demands": {serve: nil, handler: nil, reply: okResponse},
	} {
		t.Run(name, func(t *testing.T) {
			at := s.place(t, w)
			if name == "circle with :443" { s.reply = "" }
			goal := target(at)
			if s.change != nil { s.change(&goal) }
			limit := s.limit
			if limit == 0 { limit = 10*time.Second }
			p := New(Settings{Roots: w.roots, Allow: loopback(), Timeout: limit, Lookup: func(context.Context, string) []netip.Addr { return nil }})
			r := Request{Target: goal, Address: at}
			if s.request != nil { s.request(&r) }
			o := p.Observe(t.Context(), r)
			for _, f := range Judge(Policy{}, time.Now(), goal, inventory.Expected{}, []Observation{o}) {
				t.Logf("%s %s: %s | %s | %s", f.Severity, f.Code, f.Summary, f.Observed, f.Hint)
			}
			t.Logf("fault %+v reached %s http %+v", o.Fault, o.Reached, o.HTTP)
		})
	}
}
