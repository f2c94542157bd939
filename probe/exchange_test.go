package probe

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"crypto/tls"
	"crypto/x509/pkix"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"reflect"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"driftprobe/internal/inventory"
)

// TestRequest looks at what is sent, byte for byte as net/http reads it.
func TestRequest(t *testing.T) {
	w := newWorld(t)
	got := make(chan *http.Request, 1)
	at := listen(t, tlsServer(w.good, func(c *tls.Conn) {
		r := readRequest(c)
		_, _ = c.Write([]byte("HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nServer: lab\r\n\r\n"))
		got <- r
	}))
	t.Setenv("HTTPS_PROXY", "http://127.0.0.1:1")
	headers := http.Header{"Authorization": {"Bearer s3cret"}, "Connection": {"upgrade"}, "Host": {"elsewhere"}}
	o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at, Headers: headers})
	r := <-got
	if r == nil || o.Fault != (Fault{}) {
		t.Fatalf("request %v, fault %+v", r, o.Fault)
	}
	if want := fmt.Sprintf("%s:%d", host, at.Port()); r.Method != "GET" || r.Host != want || r.RequestURI != "/healthz?full=1" || r.Proto != "HTTP/1.1" {
		t.Errorf("%s %s %s of %s, want GET /healthz?full=1 of %s", r.Method, r.RequestURI, r.Proto, r.Host, want)
	}
	want := http.Header{
		"Authorization": {"Bearer s3cret"}, "User-Agent": {"driftprobe/test"}, "Accept": {"*/*"},
		"Accept-Encoding": {"identity"}, "Connection": {"close"},
	}
	if !reflect.DeepEqual(r.Header, want) {
		t.Errorf("header %v, want %v", r.Header, want)
	}
	if !reflect.DeepEqual(headers, http.Header{"Authorization": {"Bearer s3cret"}, "Connection": {"upgrade"}, "Host": {"elsewhere"}}) {
		t.Error("the caller's headers were changed")
	}
	if o.HTTP.Status != 302 || o.HTTP.Location != "http://169.254.169.254/" || o.HTTP.Server != "lab" {
		t.Errorf("response %+v", o.HTTP)
	}
	if !o.Answers(o.At) || o.Reached != PhaseHTTP {
		t.Error("it does not count as an answer")
	}
}

// TestRoundTrip: an observation is part of the snapshot and must come back from
// JSON as it was.
func TestRoundTrip(t *testing.T) {
	w := newWorld(t)
	bad := newLeaf(t, nil, "\x1b[1m", names("x"), subject(pkix.Name{CommonName: "\u202e", Organization: []string{"Acme"}}))
	at := listen(t, tlsServer(presented(bad, w.intermediate), says("HTTP/1.1 503 No\r\nServer: a\xff\r\n\r\n")))
	tg := target(at)
	tg.Expect = inventory.Expect{BodyRegex: "x", Headers: map[string]string{"X": ""}}
	before := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at})
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	var after Observation
	if err := json.Unmarshal(text, &after); err != nil {
		t.Fatal(err)
	}
	if before.HTTP == nil || !reflect.DeepEqual(before, after) {
		t.Errorf("before %+v\nafter  %+v", before, after)
	}
}

func TestHostHeader(t *testing.T) {
	for _, c := range []struct {
		name string
		port uint16
		want string
	}{
		{"a.example", 443, "a.example"},
		{"a.example", 8443, "a.example:8443"},
		{"2001:db8::1", 443, "[2001:db8::1]"},
		{"2001:db8::1", 8443, "[2001:db8::1]:8443"},
	} {
		if got := hostHeader(c.name, c.port, 443); got != c.want {
			t.Errorf("%s %d: %s, want %s", c.name, c.port, got, c.want)
		}
	}
}

func gzipped(text string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	_, _ = z.Write([]byte(text))
	_ = z.Close()
	return fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%s", b.Len(), b.String())
}

func TestResponse(t *testing.T) {
	w := newWorld(t)
	yes, no := true, false
	for name, c := range map[string]struct {
		reply  string
		expect inventory.Expect
		want   HTTP
	}{
		"nothing expected": {okResponse, inventory.Expect{}, HTTP{Status: 200, Server: "lab", BodyBytes: 2}},
		"the body matches": {
			okResponse, inventory.Expect{BodyRegex: "^o"}, HTTP{Status: 200, Server: "lab", BodyBytes: 2, BodyMatched: &yes},
		},
		"the body does not match": {
			okResponse, inventory.Expect{BodyRegex: "^k"}, HTTP{Status: 200, Server: "lab", BodyBytes: 2, BodyMatched: &no},
		},
		"no body at all": {
			"HTTP/1.1 204 No Content\r\n\r\n", inventory.Expect{BodyRegex: "x"}, HTTP{Status: 204, BodyMatched: &no},
		},
		"interim responses are skipped": {
			"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\n" + okResponse, inventory.Expect{},
			HTTP{Status: 200, Server: "lab", BodyBytes: 2},
		},
		"headers: one matches, one differs, one is absent, one need only exist": {
			okResponse,
			inventory.Expect{Headers: map[string]string{"server": "^lab$", "Content-Length": "3", "X-B": "", "Server": ""}},
			HTTP{Status: 200, Server: "lab", BodyBytes: 2, HeadersMissing: []string{"Content-Length", "X-B"}},
		},
		"gzip that nobody asked for is inflated": {
			gzipped("hello"), inventory.Expect{BodyRegex: "hello"}, HTTP{Status: 200, BodyBytes: 5, BodyMatched: &yes},
		},
		"inflation is bounded": {
			gzipped(strings.Repeat("a", 5000)), inventory.Expect{BodyRegex: "b"}, HTTP{Status: 200, BodyBytes: 1000, BodyMatched: &no},
		},
		"a body over the limit is cut, and that is no fault": {
			"HTTP/1.1 200 OK\r\n\r\n" + strings.Repeat("a", 100_000), inventory.Expect{BodyRegex: "a$"},
			HTTP{Status: 200, BodyBytes: 1000, BodyMatched: &yes},
		},
		"long header values are cut": {
			"HTTP/1.1 200 OK\r\nServer: " + strings.Repeat("é", 200) + "\r\n\r\n", inventory.Expect{},
			HTTP{Status: 200, Server: strings.Repeat("é", 128)},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			at := listen(t, tlsServer(w.good, says(c.reply)))
			tg := target(at)
			tg.Expect = c.expect
			p := New(Settings{Roots: w.roots, Allow: loopback(), Timeout: time.Minute, MaxBody: 1000})
			o := p.Observe(t.Context(), Request{Target: tg, Address: at})
			c.want.Protocol = "HTTP/1.1"
			if o.Fault != (Fault{}) || o.HTTP == nil || !reflect.DeepEqual(*o.HTTP, c.want) {
				t.Errorf("fault %+v\ngot  %+v\nwant %+v", o.Fault, o.HTTP, c.want)
			}
		})
	}
}

func TestUnusableExpectationsAreOurFaultAndNothingIsDialled(t *testing.T) {
	var dialled atomic.Int32
	at := listen(t, func(net.Conn) { dialled.Add(1) })
	for name, change := range map[string]func(*inventory.Target){
		"body_regex does not compile": func(t *inventory.Target) { t.Expect.BodyRegex = "(" },
		"body_regex is too long":      func(t *inventory.Target) { t.Expect.BodyRegex = strings.Repeat("a", 5000) },
		"header does not compile":     func(t *inventory.Target) { t.Expect.Headers = map[string]string{"A": "("} },
		"path without a slash":        func(t *inventory.Target) { t.Path = "http://x/" },
		"path with a line break":      func(t *inventory.Target) { t.Path = "/\r\nX: y" },
	} {
		t.Run(name, func(t *testing.T) {
			tg := target(at)
			change(&tg)
			o := prober(nil).Observe(t.Context(), Request{Target: tg, Address: at})
			if o.Fault.Kind != Self || dialled.Load() != 0 {
				t.Errorf("fault %+v, dialled %d", o.Fault, dialled.Load())
			}
		})
	}
}

func TestWildcardIsProbedUnderOneNameWithoutExpectations(t *testing.T) {
	w := newWorld(t)
	name := make(chan string, 1)
	at := listen(t, tlsServer(w.good, func(c *tls.Conn) {
		name <- c.ConnectionState().ServerName
		says("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")(c)
	}))
	tg := target(at)
	tg.Host = "*.shop.example"
	tg.Expect = inventory.Expect{BodyRegex: "x", Headers: map[string]string{"X": "y"}}
	o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at})
	if sni := <-name; sni != "driftprobe-check.shop.example" || o.Host != sni {
		t.Errorf("SNI %s, host %s", sni, o.Host)
	}
	if o.HTTP == nil || o.HTTP.BodyMatched != nil || o.HTTP.HeadersMissing != nil {
		t.Errorf("response %+v", o.HTTP)
	}
}

// TestForbiddenIsNotDialled: the canary counts connections.
func TestForbiddenIsNotDialled(t *testing.T) {
	w := newWorld(t)
	var dialled atomic.Int32
	at := listen(t, func(c net.Conn) {
		dialled.Add(1)
		tlsServer(w.good, says(okResponse))(c)
	})
	mapped := netip.AddrPortFrom(netip.AddrFrom16(at.Addr().As16()), at.Port())
	for _, c := range []struct {
		name   string
		at     netip.AddrPort
		pinned bool
		allow  []netip.Prefix
		want   bool
	}{
		{"loopback named by DNS", at, false, nil, false},
		{"the same as an IPv4-mapped IPv6 address", mapped, false, nil, false},
		{"allowed, but another range", at, false, []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}, false},
		{"as a stranger", at, false, nil, false},
		{"pinned by the configuration", at, true, nil, true},
		{"in an allowed range", at, false, loopback(), true},
		{"in an allowed range, mapped", mapped, false, loopback(), true},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := dialled.Load()
			p := New(Settings{Roots: w.roots, Allow: c.allow, Timeout: time.Minute})
			o := p.Observe(t.Context(), Request{Target: target(at), Address: c.at, Pinned: c.pinned})
			if got := dialled.Load() > before; got != c.want {
				t.Errorf("dialled %v, want %v", got, c.want)
			}
			if forbidden := o.Fault.Kind == Forbidden; forbidden == c.want || forbidden && o.Fault.Phase != PhaseConnect {
				t.Errorf("fault %+v", o.Fault)
			}
		})
	}
}

// TestWhoGetsWhat counts the bytes that a server receives after the handshake.
func TestWhoGetsWhat(t *testing.T) {
	w := newWorld(t)
	wrongName := presented(newLeaf(t, w.intermediate, "other.example"), w.intermediate)
	expired := presented(newLeaf(t, w.intermediate, host, dates(-48*time.Hour, -time.Hour)), w.intermediate)
	untrusted := presented(newLeaf(t, newCA(t, nil, "Elsewhere"), host))
	secret := http.Header{"Authorization": {"Bearer s3cret"}}
	for name, c := range map[string]struct {
		cert     tls.Certificate
		headers  http.Header
		stranger bool
		sent     bool
		tlsOnly  bool
	}{
		"a stranger gets nothing":                          {w.good, nil, true, false, false},
		"a target of TLS only gets nothing":                {w.good, secret, false, false, true},
		"a stranger gets no headers either":                {w.good, secret, true, false, false},
		"a good certificate gets request and headers":      {w.good, secret, false, true, false},
		"a wrong name gets no headers, so no request":      {wrongName, secret, false, false, false},
		"an unknown authority gets no headers, no request": {untrusted, secret, false, false, false},
		"an expired certificate gets no headers":           {expired, secret, false, false, false},
		"a wrong name gets a plain request":                {wrongName, nil, false, true, false},
		"an unknown authority gets a plain request":        {untrusted, nil, false, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			received := make(chan []byte, 1)
			at := listen(t, tlsServer(c.cert, func(s *tls.Conn) {
				buffer := make([]byte, 8192)
				n, _ := s.Read(buffer)
				received <- buffer[:n]
				_, _ = s.Write([]byte(okResponse))
			}))
			goal := target(at)
			goal.TLSOnly = c.tlsOnly
			o := prober(w.roots).Observe(t.Context(), Request{Target: goal, Address: at, Headers: c.headers, Stranger: c.stranger})
			got := <-received
			if (len(got) > 0) != c.sent {
				t.Errorf("the server received %q", got)
			}
			if c.sent && c.headers != nil && !bytes.Contains(got, []byte("s3cret")) {
				t.Error("the headers are missing")
			}
			if o.Fault != (Fault{}) || o.TLS == nil || (o.HTTP != nil) != c.sent || o.Stranger != c.stranger {
				t.Errorf("observation %+v", o)
			}
			if valid := bytes.Equal(c.cert.Certificate[0], w.leaf.cert.Raw); o.Answers(o.At) != valid {
				t.Errorf("answers %v, certificate valid %v", o.Answers(o.At), valid)
			}
		})
	}
}

// TestAnEarlyResponseIsRead although the server hangs up on the rest of the request: it
// says why.
func TestAnEarlyResponseIsRead(t *testing.T) {
	w := newWorld(t)
	at := listen(t, tlsServer(w.good, func(c *tls.Conn) {
		_, _ = bufio.NewReaderSize(c, 16).ReadString('\n')
		_, _ = c.Write([]byte("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\n\r\n"))
	}))
	tg := target(at)
	tg.Method, tg.SendsBody = http.MethodPost, true
	for range 5 {
		o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at, Body: make([]byte, 8<<20)})
		if o.HTTP == nil || o.HTTP.Status != http.StatusRequestEntityTooLarge {
			t.Fatalf("%+v", o.Fault)
		}
	}
}

// What is wrong with a response is said of the response, however slowly its bytes come.
func TestAResponseThatComesByteByByte(t *testing.T) {
	for text, want := range map[string]string{
		"HTTP/1.1 200 OK\r\nX: a\x00b\r\n\r\n":                                      "a line of its header is no field",
		"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n": "Content-Length makes no sense",
		"hello\r\n\r\n": `it begins with "h"`,
	} {
		in := &budget{io.LimitedReader{R: iotest.OneByteReader(strings.NewReader(text)), N: maxHeader}}
		reader := bufio.NewReader(in)
		if _, err := reader.Peek(1); err != nil {
			t.Fatal(err)
		}
		_, err := readHeader(reader, in, nil) //nolint:bodyclose // there is none
		if err == nil || !strings.Contains(classify(PhaseHTTP, "", netip.AddrPort{}, err).Text, want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
