package probe

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"io"
	"log"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// Types of frames and codes of errors (RFC 9113 sections 6 and 7).
const (
	frameData, frameHeaders, frameReset, frameSettings, framePing, frameGoAway, frameContinuation = 0, 1, 3, 4, 6, 7, 9

	noError, protocolError, internalError, refusedStream, cancel, calm, needs11 = 0, 1, 2, 7, 8, 11, 13
)

// frame is one of HTTP/2, written by hand: what servers do wrong no library does.
func frame(kind, flags byte, stream uint32, payload ...byte) []byte {
	head := []byte{0, byte(len(payload) >> 8), byte(len(payload)), kind, flags}
	return append(binary.BigEndian.AppendUint32(head, stream), payload...)
}

func resetStream(code uint32) []byte {
	return frame(frameReset, 0, 1, binary.BigEndian.AppendUint32(nil, code)...)
}

func goAway(last, code uint32, debug string) []byte {
	payload := binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, last), code)
	return frame(frameGoAway, 0, 0, append(payload, debug...)...)
}

// header is ":status: 200" (RFC 7541 appendix A).
func header(flags byte) []byte { return frame(frameHeaders, flags|4, 1, 0x88) }

// fields is a header of literals (RFC 7541 section 6.2.2).
func fields(flags byte, pairs ...string) []byte {
	var payload []byte
	for i, text := range pairs {
		if i%2 == 0 {
			payload = append(payload, 0)
		}
		payload = append(append(payload, byte(len(text))), text...)
	}
	return frame(frameHeaders, flags|4, 1, payload...)
}

// over2 speaks HTTP/2 by hand: its settings, then before, and answer once the request
// has come. It counts the requests, and then says nothing until the peer goes.
func over2(cert tls.Certificate, before, answer []byte, hangsUp bool, requests *atomic.Int32) func(net.Conn) {
	return func(c net.Conn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"h2"}})
		if _, err := io.ReadFull(s, make([]byte, 24)); err != nil { // the preface
			return
		}
		_, _ = s.Write(append(frame(frameSettings, 0, 0), before...))
		for requested(s) {
			requests.Add(1)
			_, _ = s.Write(answer)
			if hangsUp {
				_ = s.Close()
				return
			}
		}
	}
}

// quiet drops what net/http says of such peers, as the program does.
func quiet(t *testing.T) {
	t.Helper()
	log.SetOutput(io.Discard)
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
}

// requested reads up to the header of a request.
func requested(s io.Reader) bool {
	head := make([]byte, 9)
	for {
		if _, err := io.ReadFull(s, head); err != nil {
			return false
		}
		_, _ = io.CopyN(io.Discard, s, int64(head[0])<<16|int64(head[1])<<8|int64(head[2]))
		if head[3] == frameHeaders {
			return true
		}
	}
}

// TestHTTP2ThatEndsEarly: the reset or the GOAWAY is named with its code, at once, and
// the request is sent once.
func TestHTTP2ThatEndsEarly(t *testing.T) {
	quiet(t)
	w := newWorld(t)
	for name, c := range map[string]struct {
		before, answer []byte
		hangsUp        bool
		kind           Kind
		want, hint     string
	}{
		"the stream is reset":               {answer: resetStream(internalError), kind: Closed, want: "ended the stream while we were waiting for the response (RST_STREAM, INTERNAL_ERROR: it failed by itself)"},
		"the stream is refused":             {answer: resetStream(refusedStream), kind: Closed, want: "(RST_STREAM, REFUSED_STREAM: it did not begin with the request)"},
		"we are told that we break rules":   {answer: resetStream(protocolError), kind: Closed, want: "(RST_STREAM, PROTOCOL_ERROR: it says that we break the rules)"},
		"HTTP/1.1 is wanted":                {answer: resetStream(needs11), kind: NotHTTP2, want: "(RST_STREAM, HTTP_1_1_REQUIRED: it wants HTTP/1.1 for this request)", hint: "leave expect.protocol out"},
		"a code that nobody knows":          {answer: resetStream(0xbeef), kind: Closed, want: "(RST_STREAM, 0xbeef)"},
		"reset within the body":             {answer: append(append(header(0), frame(frameData, 0, 1, 'o')...), resetStream(cancel)...), kind: Closed, want: "ended the stream while we were reading the response's body (RST_STREAM, CANCEL)"},
		"GOAWAY, the request not taken":     {answer: goAway(0, noError, ""), kind: Closed, want: "(GOAWAY, NO_ERROR: it shuts down)"},
		"GOAWAY for a reason":               {answer: goAway(0, calm, "too_many_pings"), kind: Limited, want: "(GOAWAY, ENHANCE_YOUR_CALM: it limits how much it takes)", hint: "ask less often"},
		"GOAWAY, taken, and never answered": {answer: goAway(1, internalError, "a NO_ERROR \x1b[1m"), hangsUp: true, kind: Closed, want: "(GOAWAY, INTERNAL_ERROR: it failed by itself)"},
		"GOAWAY within the body":            {answer: append(append(header(0), frame(frameData, 0, 1, 'o')...), goAway(1, internalError, "")...), hangsUp: true, kind: Closed, want: "ended the connection while we were reading the response's body (GOAWAY, INTERNAL_ERROR"},
		"GOAWAY before the request":         {before: goAway(0, noError, ""), hangsUp: true, kind: Closed, want: "GOAWAY"},
		"hangs up":                          {hangsUp: true, kind: Closed, want: "hung up"},
		"frames that make no sense":         {answer: frame(frameData, 0, 1, 'o'), kind: Malformed, want: "the reply breaks the rules of HTTP/2"},
		"flow control that overflows":       {answer: frame(8, 0, 0, 0x7f, 0xff, 0xff, 0xff), kind: Malformed, want: "the reply breaks the rules of HTTP/2 (FLOW_CONTROL_ERROR)"},
		"a push that nobody wants":          {answer: frame(5, 4, 1, 0, 0, 0, 2, 0x88), kind: Malformed, want: "the reply breaks the rules of HTTP/2"},
		"a field in capitals":               {answer: fields(0, ":status", "200", "X-A", "b"), kind: Malformed, want: "the reply breaks the rules of HTTP/2 (PROTOCOL_ERROR)"},
		"a status that makes no sense":      {answer: fields(1, ":status", "099"), kind: Malformed, want: "the status 99, which makes no sense"},
		"a body that is too short":          {answer: append(fields(0, ":status", "200", "content-length", "9"), frame(frameData, 1, 1, 'o')...), kind: Closed, want: "the response's body ended before its Content-Length"},
		"a body that is too long":           {answer: append(fields(0, ":status", "200", "content-length", "1"), frame(frameData, 1, 1, 'o', 'k')...), kind: Malformed, want: "breaks its own encoding"},
		"HTTP/1.1 in place of HTTP/2":       {answer: []byte("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"), hangsUp: true, kind: Malformed, want: "the peer agreed on HTTP/2 (ALPN) and speaks HTTP/1.1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			at := listen(t, over2(w.good, c.before, c.answer, c.hangsUp, &requests))
			tg := target(at)
			tg.Expect.Protocol = "h2"
			o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at})
			if o.Fault.Phase != PhaseHTTP || o.Fault.Kind != c.kind || !strings.Contains(o.Fault.Text, c.want) {
				t.Errorf("%+v, want %s", o.Fault, c.want)
			}
			fs := Judge(Policy{}, o.At, tg, inventory.Expected{}, []Observation{o})
			if len(fs) != 1 || fs[0].Code != finding.HTTPUnreachable || unsound(fs[0]) != "" || c.hint != "" && !strings.Contains(fs[0].Hint, c.hint) {
				t.Errorf("%+v", fs)
			}
			if n := requests.Load(); n > 1 {
				t.Errorf("the request was sent %d times", n)
			}
		})
	}
}

// TestHTTP2IsAnsweredAllTheSame: a GOAWAY that lets what is under way come to its end
// (RFC 9113 section 6.8) is no fault.
func TestHTTP2IsAnsweredAllTheSame(t *testing.T) {
	w := newWorld(t)
	whole := append(header(0), frame(frameData, 1, 1, 'o', 'k')...)
	for name, answer := range map[string][]byte{
		"GOAWAY before the response": append(goAway(1, noError, ""), whole...),
		"GOAWAY after the response":  append(whole, goAway(1, noError, "")...),
		"a reset after the response": append(whole, resetStream(noError)...),
		"103 before the response":    append(fields(0, ":status", "103", "link", "</x>"), whole...),
		"trailers":                   append(append(header(0), frame(frameData, 0, 1, 'o', 'k')...), fields(1, "x-sum", "1")...),
		"a frame that nobody knows":  append(frame(0xbe, 0, 1, 1, 2), whole...),
	} {
		t.Run(name, func(t *testing.T) {
			at := listen(t, over2(w.good, nil, answer, false, new(atomic.Int32)))
			tg := target(at)
			tg.Expect = inventory.Expect{Protocol: "h2", BodyRegex: "^ok$"}
			o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at})
			if o.Fault != (Fault{}) || o.HTTP == nil || o.HTTP.Status != 200 || !found(o.HTTP.BodyMatched) {
				t.Errorf("%+v, %+v", o.Fault, o.HTTP)
			}
		})
	}
}

// TestClientCertificatesOverHTTP2 are asked for in the handshake; with TLS 1.3 the
// refusal comes after it, when HTTP/2 has begun.
func TestClientCertificatesOverHTTP2(t *testing.T) {
	w := newWorld(t)
	own := presented(newLeaf(t, w.intermediate, "probe", func(c *x509.Certificate) {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	}), w.intermediate)
	for name, c := range map[string]struct {
		own     *tls.Certificate
		accepts *x509.CertPool
		version uint16
		want    string
	}{
		"accepted":             {&own, w.roots, 0, ""},
		"accepted, in TLS 1.2": {&own, w.roots, tls.VersionTLS12, ""},
		"refused":              {&own, pool(newCA(t, nil, "Another")), 0, "does not accept our client certificate"},
		"refused, in TLS 1.2":  {&own, pool(newCA(t, nil, "Another")), tls.VersionTLS12, "does not accept our client certificate"},
		"none":                 {nil, w.roots, 0, "wants a client certificate"},
	} {
		t.Run(name, func(t *testing.T) {
			at := secured(t, &tls.Config{
				Certificates: []tls.Certificate{w.good}, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: c.accepts, MaxVersion: c.version, NextProtos: []string{"h2"},
			})
			tg := target(at)
			tg.Expect.Protocol = "h2"
			for range 5 { // the refusal and what is being sent meet on the way
				o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at, Certificate: c.own})
				if !strings.Contains(o.Fault.Text, c.want) || (c.want == "") != (o.Fault == Fault{}) {
					t.Fatalf("%+v", o.Fault)
				}
				if c.want == "" && (o.HTTP == nil || o.HTTP.Protocol != "HTTP/2.0") {
					t.Fatalf("%+v", o.HTTP)
				}
				for _, f := range Judge(Policy{}, o.At, tg, inventory.Expected{}, []Observation{o}) {
					if f.Code != finding.TLSClientCertificate {
						t.Fatalf("%+v", f)
					}
				}
			}
		})
	}
}

// TestOurClientCertificateIsShownToNobodyElse: who asks for it has to have a valid
// certificate first. What is wrong is that one, and not that the server wants ours.
func TestOurClientCertificateIsShownToNobodyElse(t *testing.T) {
	w := newWorld(t)
	own := presented(newLeaf(t, w.intermediate, "probe"), w.intermediate)
	for name, cert := range map[string]tls.Certificate{
		"tls/self-signed":   presented(newLeaf(t, nil, host)),
		"tls/expired":       presented(newLeaf(t, w.intermediate, host, dates(-90*day, -day)), w.intermediate),
		"tls/name-mismatch": presented(newLeaf(t, w.intermediate, "other.example"), w.intermediate),
	} {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			for _, demand := range []tls.ClientAuthType{tls.RequestClientCert, tls.RequireAnyClientCert} {
				shown := make(chan int, 1)
				at := listen(t, func(c net.Conn) {
					s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{cert}, ClientAuth: demand, MaxVersion: version})
					err := s.Handshake()
					shown <- len(s.ConnectionState().PeerCertificates)
					if err == nil {
						says(okResponse)(s)
					}
				})
				o := prober(w.roots).Observe(t.Context(), Request{Target: target(at), Address: at, Certificate: &own})
				if n := <-shown; n != 0 || o.HTTP != nil || o.Fault != (Fault{}) {
					t.Errorf("%s, %s: %d certificates were shown; %+v", name, tls.VersionName(version), n, o.Fault)
				}
				for _, f := range Judge(Policy{}, o.At, target(at), inventory.Expected{}, []Observation{o}) {
					if string(f.Code) != name {
						t.Errorf("%s, %s: %+v", name, tls.VersionName(version), f)
					}
				}
			}
		}
	}
}

// secured is a whole HTTP server with a configuration of TLS.
func secured(t *testing.T, config *tls.Config) netip.AddrPort {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:   http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "ok") }),
		TLSConfig: config, ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { _ = server.Close() })
	return netip.MustParseAddrPort(listener.Addr().String())
}

// TestHTTP2WithoutEnd: what never becomes a response is bounded, and named.
func TestHTTP2WithoutEnd(t *testing.T) {
	quiet(t)
	w := newWorld(t)
	early := frame(frameHeaders, 4, 1, append([]byte{0x08, 3}, "103"...)...)
	long := frame(frameContinuation, 0, 1, append([]byte{0x00, 1, 'x', 127, 0}, make([]byte, 127)...)...)
	for name, c := range map[string]struct {
		first, again []byte
		want         string
	}{
		"interim responses":   {nil, early, "breaks the rules of HTTP/2"},
		"a header":            {frame(frameHeaders, 0, 1, 0x88), long, "longer than 64 KiB"},
		"pings":               {nil, frame(framePing, 0, 0, make([]byte, 8)...), "sends without end"},
		"settings":            {nil, frame(frameSettings, 0, 0), "sends without end"},
		"frames in the body":  {header(0), frame(0xee, 0, 0, make([]byte, 1000)...), "sends without end"},
		"frames of no stream": {nil, frame(0xee, 0, 0, make([]byte, 1000)...), "sends without end"},
	} {
		t.Run(name, func(t *testing.T) {
			at := listen(t, func(conn net.Conn) {
				s := tls.Server(conn, &tls.Config{Certificates: []tls.Certificate{w.good}, NextProtos: []string{"h2"}})
				if _, err := io.ReadFull(s, make([]byte, 24)); err != nil || !requested(s) {
					return
				}
				go func() { _, _ = io.Copy(io.Discard, s) }()
				_, err := s.Write(append(frame(frameSettings, 0, 0), c.first...))
				for again := bytes.Repeat(c.again, 100); err == nil; {
					_, err = s.Write(again)
				}
			})
			tg := target(at)
			tg.Expect.Protocol = "h2"
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			o := prober(w.roots).Observe(t.Context(), Request{Target: tg, Address: at})
			runtime.ReadMemStats(&after)
			if o.Fault.Phase != PhaseHTTP || o.Fault.Kind != Malformed || !strings.Contains(o.Fault.Text, c.want) {
				t.Errorf("%+v", o.Fault)
			}
			if n := after.TotalAlloc - before.TotalAlloc; n > 8<<20 { // the server's part too
				t.Errorf("%d KiB", n>>10)
			}
		})
	}
}
