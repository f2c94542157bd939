package probe

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"sync/atomic"
	"time"

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
	var dialled atomic.Bool
	transport := &http.Transport{
		DialTLSContext: func(context.Context, string, string) (net.Conn, error) {
			if dialled.Swap(true) {
				return nil, net.ErrClosed // there is one connection, and no second try
			}
			return session, nil
		},
		Protocols: only, DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeader,
		HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: maxHeader, MaxReceiveBufferPerConnection: maxHeader},
	}
	defer transport.CloseIdleConnections()
	l.doing = "waiting for the response"
	l.want.complete(l.settings.UserAgent)
	request := l.want.request.WithContext(ctx)
	request.URL.Scheme, request.URL.Host = "https", request.Host
	began := time.Now()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }() // what is left of it is dropped
	l.seen.Took.FirstByte = time.Since(began)
	began = time.Now()
	l.record(response)
	if err := l.readBody(response, nil); err != nil {
		return err
	}
	l.seen.Took.Transfer = time.Since(began)
	l.seen.Reached = PhaseHTTP
	return nil
}
