package probe

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"driftprobe/internal/inventory"
)

// adverse are situations in which a verdict is easily wrong: a healthy server that
// looks bad, or the other way round.
func adverse(w world) map[string]situation {
	h2 := inventory.Expect{Protocol: "h2"}
	text := expecting(inventory.Expect{BodyRegex: "^all is ok$"})
	post := func(t *inventory.Target) {
		following()(t)
		t.Method, t.SendsBody = "POST", true
	}
	body := func(r *Request) { r.Body = []byte("ping") }
	return map[string]situation{
		"gzip is said, and there is no body: 204": {handler: gzipSaid(204), change: expecting(h2)},
		"gzip is said, and there is no body: HEAD": {handler: gzipSaid(200), change: func(t *inventory.Target) {
			t.Method, t.Expect = "HEAD", h2
		}},
		"gzip is said, and the chunks hold nothing":   {reply: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"},
		"gzip in chunks of a byte, with a trailer":    {reply: "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n" + bytewise(gzipOf("all is ok")) + "0\r\nX-Sum: 1\r\n\r\n", change: text},
		"gzip by its old name":                        {reply: coded("x-gzip", gzipOf("all is ok")), change: text},
		"an encoding that was not asked for":          {reply: coded("br", "\x0b\x04\x80all is ok\x03"), change: text, want: "critical http/body", says: "encoded as br although identity was asked for"},
		"304 with the length of what it leaves out":   {reply: "HTTP/1.1 304 Not Modified\r\nContent-Length: 100\r\n\r\n"},
		"interim responses come first":                {reply: "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n" + okResponse},
		"HTTP/1.0 without a length":                   {reply: "HTTP/1.0 200 OK\r\n\r\nall is ok", change: text},
		"JSON null, and a number in another spelling": {reply: replied("200 OK", `{"a":null,"b":1e2}`), change: expecting(inventory.Expect{JSON: map[string]string{"a": "^$", "b": "^100$"}})},
		"JSON of another type":                        {reply: replied("200 OK", `{"a":"x","b":{"c":[]}}`), change: expecting(inventory.Expect{JSON: map[string]string{"a.up": "", "b.c.0": ""}}), want: "critical http/body", says: "a.up: absent, b.c.0: absent"},

		"an application says 400, where certificates are optional": {serve: demanding(w, replied("400 Bad Request", "parameter q is missing"))},
		"nginx says 400 for want of a certificate":                 {serve: demanding(w, replied("400 Bad Request", "<center>No required SSL certificate was sent</center>")), want: "critical tls/client-certificate", says: "answers HTTP 400"},

		"POST, redirected to its result at the same URL": {handler: result, change: post, request: body},
		"POST, redirected with its body to another path": {handler: elsewhere, change: func(t *inventory.Target) {
			post(t)
			t.Expect.BodyRegex = "^POST ping$"
		}, request: body},
		"a circle, the URL in another spelling": {handler: loud, want: "critical http/redirect", says: "X-Forwarded-Proto"},
		"a redirect without a scheme":           {handler: shifted("//%s/x#part"), change: following()},
		"a redirect with a user and a password": {handler: shifted("https://u:hidden@%s/x"), change: following()},

		"a closed service whose port still accepts": {serve: func(c net.Conn) { stall(c) }, limit: 300 * time.Millisecond, change: expecting(inventory.Expect{Unreachable: true}), want: "critical http/reachable", says: "a connection on port"},
		"a closed service that is only slow":        {serve: tlsServer(w.good, drips("")), limit: 300 * time.Millisecond, change: expecting(inventory.Expect{Unreachable: true}), want: "critical http/reachable", says: "a connection on port"},
	}
}

func TestAdverseSituations(t *testing.T) {
	w := newWorld(t)
	for name, s := range adverse(w) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := s.place(t, w)
			goal := target(at)
			if s.change != nil {
				s.change(&goal)
			}
			if s.limit == 0 {
				s.limit = time.Minute
			}
			r := Request{Target: goal, Address: at}
			if s.request != nil {
				s.request(&r)
			}
			o := New(Settings{Roots: w.roots, Allow: loopback(), Timeout: s.limit}).Observe(t.Context(), r)
			s.check(t, goal, o)
			if o.HTTP != nil && strings.Contains(fmt.Sprint(o.HTTP.Hops, o.HTTP.FinalURL), "hidden") {
				t.Errorf("a password is in %+v", o.HTTP)
			}
		})
	}
}

// TestOursOnTheWay: what fails in a redirect because of us says nothing of the target.
func TestOursOnTheWay(t *testing.T) {
	w := newWorld(t)
	ctx, cancel := context.WithCancel(t.Context())
	s := situation{handler: func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/next" {
			cancel() // we are told to stop
			<-r.Context().Done()
			return
		}
		http.Redirect(w, r, "/next", http.StatusFound)
	}}
	at := s.place(t, w)
	goal := target(at)
	following()(&goal)
	o := prober(w.roots).Observe(ctx, Request{Target: goal, Address: at})
	situation{want: "unknown self/not-observed", says: "cut short by us"}.check(t, goal, o)
}

// TestRedirectsToUnknownAddresses: nobody could say where the other host is.
func TestRedirectsToUnknownAddresses(t *testing.T) {
	w := newWorld(t)
	at := situation{handler: to("https://gone.example/")}.place(t, w)
	goal := target(at)
	following("gone.example")(&goal)
	p := New(Settings{Roots: w.roots, Allow: loopback(), Lookup: func(context.Context, string) ([]netip.Addr, bool) { return nil, false }})
	o := p.Observe(t.Context(), Request{Target: goal, Address: at})
	situation{want: "unknown self/not-observed", says: "no name server said where gone.example is"}.check(t, goal, o)
}

func gzipOf(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = io.WriteString(z, text)
	_ = z.Close()
	return b.String()
}

func coded(coding, text string) string {
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: %s\r\nContent-Length: %d\r\n\r\n%s", coding, len(text), text)
}

// bytewise makes a chunk of each byte.
func bytewise(text string) string {
	var b strings.Builder
	for i := range len(text) {
		b.WriteString("1\r\n" + text[i:i+1] + "\r\n")
	}
	return b.String()
}

func gzipSaid(status int) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(status)
	}
}

// demanding asks for a client certificate, goes on without, and says the reply.
func demanding(w world, reply string) func(net.Conn) {
	return func(c net.Conn) {
		session := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{w.good}, ClientAuth: tls.RequestClientCert})
		if readRequest(session) != nil {
			_, _ = io.WriteString(session, reply)
		}
	}
}

func result(w http.ResponseWriter, r *http.Request) {
	if r.Method == http.MethodPost {
		http.Redirect(w, r, r.URL.String(), http.StatusSeeOther)
	}
}

func elsewhere(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/b" {
		http.Redirect(w, r, "/b", http.StatusTemporaryRedirect)
		return
	}
	echo(w, r)
}

// loud redirects to the URL that was asked, its host in capitals.
func loud(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Location", "HTTPS://"+strings.ToUpper(r.Host)+r.URL.String())
	w.WriteHeader(http.StatusMovedPermanently)
}

// shifted redirects once, to what the format makes of the host.
func shifted(format string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/x" {
			w.Header().Set("Location", fmt.Sprintf(format, r.Host))
			w.WriteHeader(http.StatusFound)
		}
	}
}
