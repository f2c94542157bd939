package probe

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"driftprobe/finding"
	"driftprobe/internal/inventory"
)

// protocols are the ALPN names to offer (RFC 7301). HTTP/2 costs more, and is
// offered only to whom it is expected of.
func protocols(t inventory.Target) []string {
	if t.Expect.Protocol == "h2" {
		return []string{"h2", "http/1.1"}
	}
	return []string{"http/1.1"}
}

// exchange2 is exchange over HTTP/2, by net/http's own implementation on the
// connection that is open already.
func (l *look) exchange2(ctx context.Context, session *tls.Conn) error {
	only := new(http.Protocols)
	only.SetHTTP2(true)
	transport := &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) { return session, nil },
		Protocols:      only, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: maxHeader, MaxReceiveBufferPerConnection: maxHeader},
	}
	l.doing = "waiting for the response"
	// A Transport by itself asks again where the server resets the stream or sends
	// GOAWAY, for longer than a look lasts, and forgets why. A single connection does not.
	conn, err := transport.NewClientConn(ctx, "https", l.request.Address.String())
	if err != nil {
		return l.streamFault(err)
	}
	defer func() { _ = conn.Close() }() // nothing was written that could still be lost
	l.want.complete(l.settings.UserAgent)
	request := l.want.request.WithContext(ctx)
	request.URL.Scheme, request.URL.Host = "https", request.Host
	// What is around a response is counted as its header is: frames of no stream, pings
	// and padding can be sent for ever.
	const around = 4 * maxHeader
	l.wire.bound(around)
	began := time.Now()
	response, err := conn.RoundTrip(request)
	if err != nil {
		// What TLS has read last it says again, while net/http may only say that the
		// connection is gone: a refusal of our client certificate comes after the
		// handshake (RFC 8446 section 4.4.2.4).
		_ = conn.Close()
		if _, second := session.Read(make([]byte, 1)); second != nil {
			if _, ok := remoteAlert(second); ok {
				return second
			}
		}
		return l.streamFault(err)
	}
	defer func() { _ = response.Body.Close() }() // what is left of it is dropped
	l.seen.Took.FirstByte = time.Since(began)
	began = time.Now()
	if response.StatusCode < 200 {
		return senseless(response.StatusCode)
	}
	l.record(response)
	l.wire.bound(2*l.settings.MaxBody + around)
	if err := l.readBody(response, nil); err != nil {
		if errors.Is(err, io.ErrUnexpectedEOF) && response.ContentLength >= 0 { // net/http does not say who ended it
			return known{Closed, "the response's body ended before its Content-Length"}
		}
		return l.streamFault(err)
	}
	l.seen.Took.Transfer = time.Since(began)
	l.seen.Reached = PhaseHTTP
	return nil
}

// streamFault says what errors of net/http mean whose types it does not export.
func (l *look) streamFault(err error) error {
	switch {
	case strings.Contains(err.Error(), "header list larger than advertised limit"):
		return tooLong()
	case strings.Contains(err.Error(), "looked like an HTTP/1.1 header"):
		return known{Malformed, "the peer agreed on HTTP/2 (ALPN) and speaks HTTP/1.1: what ends TLS passes it on to who does not speak HTTP/2"}
	case strings.HasPrefix(err.Error(), "connection error: "+protocolBroken): // so it calls a header of twice the limit, too
		return known{Malformed, fmt.Sprintf("the reply breaks the rules of HTTP/2, or its header is longer than %d KiB", maxHeader>>10)}
	case strings.HasPrefix(err.Error(), "connection error: "):
		return known{Malformed, fmt.Sprintf("the reply breaks the rules of HTTP/2 (%s)", errorCode(err))}
	case streamEnded(err):
		return known{endedKind(err), fmt.Sprintf("the peer ended the stream while we were %s (RST_STREAM, %s)", l.doing, codeText(err))}
	case strings.HasPrefix(err.Error(), "stream error: "):
		return known{Malformed, fmt.Sprintf("the reply breaks the rules of HTTP/2 (%s)", errorCode(err))}
	case strings.Contains(err.Error(), "GOAWAY"):
		return known{endedKind(err), fmt.Sprintf("the peer ended the connection while we were %s (GOAWAY, %s)", l.doing, codeText(err))}
	case strings.HasPrefix(err.Error(), "http2: client conn"):
		return known{Closed, "the connection ended before the peer took the request (it sent GOAWAY, hung up, or broke the rules of HTTP/2)"}
	}
	return err
}

// ofHTTP2 tells whether an error is about frames, and not about what is in them.
func ofHTTP2(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "stream error: ") || strings.HasPrefix(text, "connection error: ") || strings.HasPrefix(text, "http2: ")
}

// streamEnded tells whether the peer sent RST_STREAM (RFC 9113 section 6.4).
func streamEnded(err error) bool {
	text := err.Error()
	return strings.HasPrefix(text, "stream error: ") && strings.HasSuffix(text, "received from peer")
}

// errorCode finds the code in an error of HTTP/2 (RFC 9113 section 7). A GOAWAY without
// one is a graceful end.
func errorCode(err error) string {
	for _, word := range strings.FieldsFunc(err.Error(), func(r rune) bool { return strings.ContainsRune(" ;:,=", r) }) {
		switch {
		case word == "CANCEL", word == "REFUSED_STREAM", word == enhanceYourCalm, word == "INADEQUATE_SECURITY", word == http11Required,
			word == "SETTINGS_TIMEOUT", word == "STREAM_CLOSED", strings.HasSuffix(word, "_ERROR"), strings.HasPrefix(word, "0x"):
			return finding.Printable(word, 30)
		}
	}
	return "NO_ERROR"
}

// endedKind singles out the codes that say what is to be done.
func endedKind(err error) Kind {
	switch errorCode(err) {
	case http11Required:
		return NotHTTP2
	case enhanceYourCalm:
		return Limited
	}
	return Closed
}

const (
	protocolBroken  = "PROTOCOL_ERROR"
	http11Required  = "HTTP_1_1_REQUIRED"
	enhanceYourCalm = "ENHANCE_YOUR_CALM"
)

// codeText says what the peer means by a code.
func codeText(err error) string {
	code := errorCode(err)
	meaning := map[string]string{
		"NO_ERROR":            "it shuts down",
		protocolBroken:        "it says that we break the rules",
		"INTERNAL_ERROR":      "it failed by itself",
		"REFUSED_STREAM":      "it did not begin with the request",
		enhanceYourCalm:       "it limits how much it takes",
		"INADEQUATE_SECURITY": "it wants stronger TLS",
		http11Required:        "it wants HTTP/1.1 for this request",
	}[code]
	if meaning == "" {
		return code
	}
	return code + ": " + meaning
}
